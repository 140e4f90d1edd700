//go:build !race

package engine

// raceEnabled says that the race detector is on, which makes copying bytes ten
// times slower: tests that move many of them are smaller then.
const raceEnabled = false
