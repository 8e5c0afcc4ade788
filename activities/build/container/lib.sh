# Sourced by the other scripts: how they talk to the caller.

step() {
  echo "@@step $1"
}

# fail TYPE SUBJECT MESSAGE: TYPE is a name in the catalogue of failures.
fail() {
  echo "@@failed $1 $2"
  echo "iguana: $3" >&2
  exit 1
}
