#!/bin/sh
# Runs the broker, and gives every account of infra/rabbitmq/definitions.json its password from the environment
# (PASSWORD_ORCHESTRATOR, PASSWORD_CPT_TRAINER, ...). Until then no account can log in.
set -eu
docker-entrypoint.sh rabbitmq-server &
server=$!
# The container ends with this script: it stays until the broker has stopped in order.
trap 'kill -TERM $server; wait $server; exit' TERM INT
until rabbitmqctl --quiet await_startup 2>/dev/null; do
  kill -0 $server || exit 1
  sleep 1
done
# Between the import, which takes the passwords away, and the new ones nobody may try to log in.
rabbitmqctl --quiet suspend_listeners
rabbitmqctl --quiet import_definitions /etc/rabbitmq/espalier.json
for account in orchestrator registry cpt-trainer upcycler pruner quantizer evaluator; do
  variable=PASSWORD_$(echo "$account" | tr 'a-z-' 'A-Z_')
  eval "password=\${$variable:?the password of the broker account $account}"
  # The password goes by standard input: the list of processes shows arguments.
  printf '%s' "$password" | rabbitmqctl --quiet change_password "$account"
done
rabbitmqctl --quiet delete_user guest 2>/dev/null || true
rabbitmqctl --quiet resume_listeners
wait $server
