# The start of a bundle: puts the start stub of this machine into a private cache and runs it.
# Read by every sh: no bytes above 0x7F, no NUL, nothing that only one shell knows.
die() {
	printf "ERROR %s\nTIP %s\n" "$@" >&2
	exit 1
}
b=$0
case $b in
*/*) ;;
*) [ -f "./$b" ] && b=./$b || b=$(command -v -- "$b") ;;
esac
[ -r "$b" ] || die "cannot read \`$0\`" "Start it by its path: sh /path/to/file"
y=.cache i="Set LLAMAPACK_CACHE to a directory of yours where programs may run."
m=$(uname -sm) || die "\`uname\` is not in PATH" "PATH=/bin:/usr/bin sh '$b'"
case $m in
'NetBSD evbarm') m="NetBSD $(uname -p)" ;;
Darwin*)
	y=Library/Caches
	i="$i If macOS blocks them: xattr -d com.apple.quarantine '$b'"
	# A shell that Rosetta runs does not know better.
	[ "$(sysctl -n hw.optional.arm64 2>/dev/null)" = 1 ] && m='Darwin arm64'
	;;
@WINDOWS@ *_NT-*) die "Windows starts \`$b\` by itself, not through a shell" "Give it a name in @ENDING@." ;;
esac
case $m in
@CASES@
*) die "\`$b\` has no engine for $m; it has: @TARGETS@" "Get one for this machine." ;;
esac
export LLAMAPACK_BUNDLE="$b"
l=${LLAMAPACK_CACHE-} x= u= w= z=${k#* }
if [ "$l" ]; then
	case $l in /*) ;; *) l=./$l ;; esac
else
	x=${XDG_CACHE_HOME:+$XDG_CACHE_HOME/llamapack}
	# No home is made up: only what lies below one.
	[ -d "${HOME-}" ] && y=$HOME/$y/llamapack
fi
# Whether a file is the stub. A host without cksum compares the size.
is() {
	case $(cksum <"$1") in
	"$k") ;;
	'') [ $(wc -c <"$1") -eq $z ] ;;
	*) false ;;
	esac 2>/dev/null
}
# Whether what lies there is the stub: compared again if it may have changed since.
ok() {
	[ -s "$s" ] && [ "$n" -nt "$s" ] && return
	true >"$t"
	is "$s" && { mv -f "$t" "$n" || :; } || ! rm -f "$t"
} 2>/dev/null
mk() { (umask 77 && mkdir "$@"); }
# Whether a directory among those of others is this user's. One look at it, since its name may change hands
# between two; in a sticky folder what is ours stays.
mine() {
	[ $g ] || return 0
	set -- $(ls -ldn "$c")
	case $1$3 in d*[!0-9]$u) ;; *) false ;; esac
} 2>/dev/null
# Cut to the stub's size: a signature of macOS forbids bytes behind it. A container may have a plain file as /dev/null.
cut() { : | dd of="$t/s" bs=$z seek=1 $1; }
# Pass 1 looks for the stub, pass 2 puts it there. A leading @ marks directories that others write to.
for p in 1 2; do
	for c in "$l" "$x" "$y" "@${TMPDIR-}" @/tmp @/var/tmp @/dev/shm; do
		g=
		case $c in
		'' | @) false ;;
		@*)
			[ "$l" ] && break
			u=${u:-$(id -u)}
			c=${c#@}/llamapack-$u g=1
			;;
		"$l") ;;
		/*)
			# Root with another's HOME leaves nothing there that its owner could not remove.
			d=${c%/*}
			until [ -d "$d/" ]; do d=${d%/*}; done
			[ -O "$d/" ]
			;;
		*) false ;;
		esac || continue
		d=$c/stubs s=$d/$h n=$c/$h.ok t=$d/.$h.$$
		[ $p = 1 ] || {
			w="$w \`$c\`"
			{
				mk -p "$c"
				mine || continue
				# Root's /tmp stays open to others. What is not a directory steps aside.
				[ -O "$c" ] && { [ -k "$c" ] || chmod go-w "$c"; } &&
					{ mk -p "$d" || mv "$d" "$d.$$" && mk -p "$d"; } && chmod go-w "$d" || continue
				mk "$t" || { t=${t}x; mk "$t"; } || continue
				dd if="$b" of="$t/s" bs=65536 skip=$o count=$((z / 65536 + 1)) &&
					{ cut conv=fsync || cut; } || { rm -rf "$t"; continue; }
			} 2>/dev/null
			is "$t/s" || {
				rm -rf "$t"
				die "\`$b\` is damaged: its start stub differs" "Fetch it again."
			}
			chmod 700 "$t/s" && LLAMAPACK_PROBE=1 "$t/s" </dev/null >/dev/null 2>&1 && {
				# mv would put it into a directory of that name.
				[ -d "$s" ] && mv "$s" "$t/d"
				mv -f "$t/s" "$s"
			} 2>/dev/null
			rm -rf "$t"
		}
		mine && [ -O "$c" ] && [ -f "$s" ] && [ -O "$s" ] && [ -x "$s" ] && [ ! -L "$s" ] && ok && exec "$s" "$@"
	done
done
die "no directory can hold the programs of \`$b\`; tried:$w" "$i"
exit 1
