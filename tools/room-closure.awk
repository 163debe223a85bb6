# Prints the room `want` and every room that it may use, directly or through another; reads rooms.txt.
/^[a-z]+:/ { name = $1; sub(":", "", name); for (i = 2; i <= NF; i++) may[name] = may[name] " " $i }
function visit(r,    n, i, parts) {
	if (seen[r]++) return
	n = split(may[r], parts, " ")
	for (i = 1; i <= n; i++) visit(parts[i])
	out = r " " out
}
END { visit(want); print out }
