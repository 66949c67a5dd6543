#!/usr/bin/env node
import { runCommandLine } from './launcher.mjs'

await runCommandLine()
