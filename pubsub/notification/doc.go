// Package notification is the backends' client: it publishes, through Redis,
// what the gateway's browsers shall see.
//
//	c := notification.NewClient(redisClient) // any redis.UniversalClient
//	err := c.SendUserNotification(ctx, &notification.UserNotificationRequest{
//		UserID: "42", Title: "Report ready", Link: "/reports/7",
//	})
//
// Each method publishes one envelope on one channel:
//
//	SendSystemNotification, SendSystemMessage,
//	BroadcastDataUpdate, Broadcast              websocket:broadcast
//	SendUserNotification                        websocket:notification:USER
//	SendUserMessage                             websocket:user:USER
//	SendToRoom                                  websocket:room:ROOM
//
//	{"type":"notification","id":"5f0c...","content":{"title":"Report ready",...},
//	 "data":{"notification_id":"5f0c...","read":false},"timestamp":1697356800}
//
// The id, 128 random bits in hexadecimal, lets browsers drop what they have
// seen already.
//
// Delivery is that of Redis Pub/Sub, at most once: no error means that Redis has
// taken the message, not that somebody was there to get it. A client made with
// [WithDurable] leaves messages in a stream for the gateways instead, which take
// each once. A request that no
// gateway would deliver is refused here, with a [*FieldError] that names the
// field, or with [ErrTooLarge]; those are worth no second attempt.
//
// The package imports package message for the names of the types, and nothing
// else of the gateway. It starts no goroutine and keeps no state but the
// client's.
package notification
