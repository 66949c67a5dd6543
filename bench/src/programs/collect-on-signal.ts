// Loaded before a program of Node's with `--expose-gc`: memory can be compared once garbage is gone.
process.on('SIGUSR2', () => globalThis.gc?.())
