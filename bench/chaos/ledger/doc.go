// Package ledger keeps the books of a chaos run: every message that was
// published, every place that it was given in a log, and every receiver that it
// reached. At the end it says what was lost, came twice, or came out of order.
//
// A *log* is a room or an inbox that keeps its messages. Each message carries a
// Stamp in its content, by which receivers tell it apart whatever the gateway
// makes of it. The rules:
//
//  1. A message is *due* when its publisher was told that it was taken, or when
//     anybody received it. What was refused, or never answered and seen by
//     nobody, is not due.
//  2. A due message is due to every seat of its log. A *seat* is one receiver in
//     one log, from the position at which it joined for the first time: messages
//     at or before that position are not its own. Being away does not end a seat:
//     who comes back with its position gets what it missed.
//  3. A seat whose bit for a due message is missing at the end has *lost* it.
//     That the gateway said `recovered: false` is no excuse, but counted besides.
//  4. A *line* is one connection of a seat. Offsets on a line must grow. One that
//     does not is *duplicated* when the seat has the message, else *out of order*.
//  5. A receiver drops what is not beyond its position in the log's epoch, as any
//     client may; while two lines overlap, and after an acknowledgement of an inbox
//     was cut off, that is no fault, and counted as *dropped*. Dropping does not
//     set the bit: if the seat never had the message, it is lost.
//  6. A message beyond the position that the seat already has is *duplicated*: it
//     has two places in the log.
//  7. All receivers must agree: when one place of an epoch has two messages, or one
//     message two places, that is *out of order* or *duplicated* as well.
//  8. When a publisher has sent a message after another on the same log was
//     acknowledged, the first must have the smaller offset; else the second is
//     *out of order*.
//  9. A bare PUBLISH that nobody received is *at risk*, not lost, when it was answered
//     within a second before the server that answers was killed or demoted, or from
//     then on until all gateways were connected to who has taken over and had had time
//     to listen: an answer to PUBLISH says that Redis had the message, not that anybody
//     else did. The same holds, and is counted apart, when all gateways are cut off from
//     Redis. If anybody received it, rule 1 holds. No other fault excuses anything, and
//     for how long there was an excuse is told.
//
// Presence keeps the same kind of books about who is online.
//
// A Book may be used from any goroutine; it calls nobody.
package ledger
