// Package bench measures a gateway from outside: it starts one as a process of
// its own, drives it with the connections of package fleet, and reads what the
// kernel says of its memory and time. Nothing that the gateway itself imports
// lives here.
package bench
