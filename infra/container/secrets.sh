#!/bin/sh
# Makes the passwords that compose.yaml reads, each once, in the folder named (by default secrets).
# The folder is closed to others and ignored by git; the files in it are readable, because
# containers see them with their own users.
set -eu
umask 077
folder="${1:-secrets}"
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"
echo '*' >.gitignore

password() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

for name in superuser writer reader grafana; do
    [ -s "${name}_password" ] || password >"${name}_password"
done
# Who sends receipts over HTTP gives it as a bearer token.
[ -s receipts_token ] || password >receipts_token
# A service file of libpq gives the password, whoever may read it (a PGPASSFILE is ignored unless
# the process owns it).
for name in writer reader; do
    rm -f "${name}_service"
    printf '[smartstore]\npassword=%s\n' "$(cat "${name}_password")" >"${name}_service"
done
# Ours to make, yours to fill in.
[ -e camera_urls ] || echo '# CAMERA_ID=rtsp://USER:PASSWORD@HOST/PATH, one a line' >camera_urls
chmod 444 ./*_password ./*_service receipts_token
chmod 644 camera_urls
echo "secrets are in $PWD"
