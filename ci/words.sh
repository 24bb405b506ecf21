# Sourced by the scripts beside it before they do anything, with their words and with `usage` set:
# `--help` prints that and the comment at the head of the script.
for word; do
    case $word in
    -h | --help)
        printf 'usage: %s\n\n' "$usage"
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    esac
done

# wrong WORD: says that the script does not take it, and ends.
wrong() {
    printf 'usage: %s\n%s: error: %s\n' "$usage" "$0" "$1" >&2
    exit 2
}
