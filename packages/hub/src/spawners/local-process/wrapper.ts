/** `$0` of the wrapper's shells: tells a wrapper from the server it becomes. */
export const wrapperName = 'orrery-run'

/**
 * Runs as the hub. Claims the run, joins the cgroups and becomes `"$@"`, which keeps its pid and
 * start time. The claim is written aside and hard-linked, so that it is whole and there is only one.
 * Its own environment holds nothing from users: with those in reach (`LD_PRELOAD`), a shell that
 * runs as root would be theirs.
 * Exit status: 75 when another holds the run, 111 when the claim could not be written.
 */
export function outerScript(prelude: string): string {
  return `
set -f
mask=$(umask)
umask 077
${prelude}
start_ticks() { shift 19; ticks=$1; }
IFS= read -r stat < "/proc/$$/stat" || exit 111
IFS= read -r boot < /proc/sys/kernel/random/boot_id || exit 111
start_ticks \${stat##*) }
claim="$ORRERY_RUN_DIR/claim.$$"
printf '%s %s %s\\n' "$$" "$ticks" "$boot" > "$claim" || exit 111
ln -- "$claim" "$ORRERY_RUN_DIR/pid" 2>/dev/null
won=$?
rm -f -- "$claim"
if [ "$won" -ne 0 ]; then
  [ -e "$ORRERY_RUN_DIR/pid" ] && exit 75
  exit 111
fi
IFS='
'
for cgroup in $ORRERY_CGROUPS; do
  echo "$$" > "$cgroup/cgroup.procs" || echo "orrery: the limits of $cgroup are not enforced" >&2
done
umask "$mask"
exec "$@"
`
}

/**
 * Runs as the user of the server: working folder, certificate, environment, command. The environment arrives as
 * `export` lines in one variable, never on a command line, where everyone could read it.
 * The folder is found here because only the user can tell what is accessible to the user.
 * Source: JupyterHub 6.0 spawner.py, `_try_setcwd`: home, its nearest parent below `/`, else a new one.
 */
export const innerScript = `
dir=$ORRERY_HOME
until [ -z "$dir" ] || cd -- "$dir" 2>/dev/null; do
  case $dir in */*) dir=\${dir%/*} ;; *) dir= ;; esac
done
if [ -z "$dir" ]; then cd -- "$(mktemp -d)" || exit 1; fi
if [ -n "$ORRERY_TLS_DIR" ]; then
  (
    umask 077
    rm -rf -- "$ORRERY_TLS_DIR" && mkdir -p -- "$ORRERY_TLS_DIR" && cd -- "$ORRERY_TLS_DIR" &&
      printf '%s' "$ORRERY_TLS_KEY" > server.key &&
      printf '%s' "$ORRERY_TLS_CERT" > server.crt &&
      printf '%s' "$ORRERY_TLS_CA" > ca.crt
  ) || {
    echo "orrery: the server's certificate could not be written to $ORRERY_TLS_DIR" >&2
    exit 1
  }
fi
unset ORRERY_TLS_DIR ORRERY_TLS_KEY ORRERY_TLS_CERT ORRERY_TLS_CA
ORRERY_TEXT=$ORRERY_ENV
unset dir ORRERY_RUN_DIR ORRERY_CGROUPS ORRERY_HOME ORRERY_ENV
eval "unset ORRERY_TEXT
$ORRERY_TEXT"
command -v -- "$1" >/dev/null 2>&1 || {
  echo "orrery: command not found: $1 (looked in PATH=$PATH). For Jupyter: pip install jupyterlab jupyterhub, into an environment that this user can read and that is on the hub's PATH, or set Spawner.cmd." >&2
  exit 127
}
exec "$@"
`

/** Names that a POSIX shell holds read-only or interprets: exporting them would end the wrapper. */
const shellOwned = new Set([
  'BASHOPTS',
  'BASH_VERSINFO',
  'EUID',
  'IFS',
  'LINENO',
  'OPTIND',
  'PPID',
  'SHELLOPTS',
  'UID',
])

/** The lines for {@link innerScript}, and the names that cannot be passed through a shell. */
export function exportLines(environment: Readonly<Record<string, string>>): {
  readonly text: string
  readonly leftOut: readonly string[]
} {
  const lines: string[] = []
  const leftOut: string[] = []
  for (const [name, value] of Object.entries(environment)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || shellOwned.has(name) || value.includes('\0')) {
      leftOut.push(name)
    } else {
      lines.push(`export ${name}=${shellQuote(value)}`)
    }
  }
  return { text: lines.join('\n'), leftOut }
}

/** One word for a POSIX shell. */
export function shellQuote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`
}
