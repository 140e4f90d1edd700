// Package presence keeps in Redis who is online at which node, tells all nodes
// when a user comes online anywhere or goes offline everywhere, and holds users
// to a number of devices.
//
//	PREFIXpresence:{USER}  hash: a life (see package nodes) -> "ROOMS\nLEFT\nNAME"
//	PREFIXonline:LIFE      set: the users for whom a life has such a field
//	PREFIXdevices:{USER}   hash: a connection -> "SEQUENCE DEVICE\nLIFE"; with a limit only
//	PREFIXstatus:USER      channel: edges of a user's status, for who watches it
//	PREFIXhere:ROOM        channel: the same, for the members of a room with presence
//	PREFIXedges            stream: the edges of the last minutes, for nodes that were cut off
//
// A user is online while its hash has a field. ROOMS are the rooms with presence
// that its devices are in at that node, LEFT those that they were in at nodes
// where none of them is any more: both are told when it goes offline.
//
// # What is written when
//
// This package is told that something about a user has changed at this node, not
// what: [Presence.Changed] only notes the name. A goroutine takes what has gathered,
// asks the node how things are with these users now, and has a script compare that
// with the hash and publish what others should be told. So a storm of connects
// becomes a few round trips; a user that comes and goes in between is nothing at
// all; what failed is simply tried again; and when a node's lease was lost, all of
// its users count as changed. There is no refresh: fields last until they are
// removed, by their own node or, when that has died, by the one that cleans up
// after it.
//
// An edge names all rooms that it is for, and goes to each room's channel; a node
// with members in several of them hears it as often, and [Edges] lets it through
// once.
//
// # Devices
//
// Where users may have a number of devices only, [Presence.Admit] asks Redis for
// each new connection, in one script that is the same for all nodes, so that two
// nodes never give away the last place twice.
//
// Nothing here waits for Redis on the caller's goroutine unless it has a context.
package presence
