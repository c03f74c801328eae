#!/bin/sh
exec /usr/lib/sluice/bin/node /usr/lib/sluice/dist/cli/main.js "$@"
