package notification_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/notification"
)

// A backend needs a go-redis client, which it may have already, and the
// gateways' Redis.
func Example() {
	server := startRedis() // in production the one of redis.url
	defer server.Close()
	redisClient := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer redisClient.Close()

	c := notification.NewClient(redisClient)
	err := c.SendSystemMessage(context.Background(), &notification.SystemMessageRequest{
		Message: "maintenance in 30 minutes", Level: notification.LevelWarning, Code: 1001,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("sent")
	// Output: sent
}

func ExampleClient_SendUserNotification() {
	c, heard, stop := listening("websocket:notification:42")
	defer stop()
	err := c.SendUserNotification(context.Background(), &notification.UserNotificationRequest{
		UserID: "42", Title: "Report ready", Body: "The June figures are in.", Icon: "Chart", Link: "/reports/7",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(heard())
	// Output:
	// websocket:notification:42 notification {"title":"Report ready","body":"The June figures are in.","icon":"Chart","link":"/reports/7"}
}

func ExampleClient_SendSystemNotification() {
	c, heard, stop := listening("websocket:broadcast")
	defer stop()
	err := c.SendSystemNotification(context.Background(), &notification.SystemNotificationRequest{
		Title: "Version 3 is out", Link: "/changelog", Category: "news",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(heard())
	// Output:
	// websocket:broadcast notification {"title":"Version 3 is out","link":"/changelog","category":"news"}
}

func ExampleClient_SendSystemMessage() {
	c, heard, stop := listening("websocket:broadcast")
	defer stop()
	err := c.SendSystemMessage(context.Background(), &notification.SystemMessageRequest{
		Message: "maintenance in 30 minutes", Level: notification.LevelWarning, Code: 1001,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(heard())
	// Output:
	// websocket:broadcast system {"message":"maintenance in 30 minutes","level":"warning","code":1001}
}

func ExampleClient_SendUserMessage() {
	c, heard, stop := listening("websocket:user:user_456")
	defer stop()
	err := c.SendUserMessage(context.Background(), &notification.UserMessageRequest{
		From: "user_123", FromName: "Ann", To: "user_456", Text: "Hello!",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(heard())
	// Output:
	// websocket:user:user_456 user_message {"from":"user_123","to":"user_456","text":"Hello!"}
}

// A room message can carry any content in place of a text.
func ExampleClient_SendToRoom() {
	c, heard, stop := listening("websocket:room:chat:room001")
	defer stop()
	err := c.SendToRoom(context.Background(), &notification.RoomMessageRequest{
		Room: "chat:room001", FromName: "Build", Content: map[string]any{"build": 1207, "passed": true},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(heard())
	// Output:
	// websocket:room:chat:room001 room_message {"build":1207,"passed":true}
}

func ExampleClient_BroadcastDataUpdate() {
	c, heard, stop := listening("websocket:broadcast")
	defer stop()
	err := c.BroadcastDataUpdate(context.Background(), "user", "create", "123", map[string]string{"username": "new_user"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(heard())
	// Output:
	// websocket:broadcast data_update {"entity":"user","action":"create","id":"123","data":{"username":"new_user"}}
}

func ExampleClient_Broadcast() {
	c, heard, stop := listening("websocket:broadcast")
	defer stop()
	if err := c.Broadcast(context.Background(), "price_list", []int{12, 15, 9}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(heard())
	// Output:
	// websocket:broadcast price_list [12,15,9]
}

// What no gateway would deliver is refused, and the error names the field.
func ExampleFieldError() {
	server := startRedis()
	defer server.Close()
	redisClient := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer redisClient.Close()

	c := notification.NewClient(redisClient)
	err := c.SendUserNotification(context.Background(), &notification.UserNotificationRequest{Title: "Hello"})
	var field *notification.FieldError
	if errors.As(err, &field) {
		fmt.Println(field.Field, field.Problem)
	}
	// Output: user_id is missing
}

// startRedis runs a Redis inside the example.
func startRedis() *miniredis.Miniredis {
	server, err := miniredis.Run()
	if err != nil {
		log.Fatal(err)
	}
	return server
}

// listening returns a client, and a function that waits for the next message
// on channel and describes it.
func listening(channel string) (c *notification.Client, heard func() string, stop func()) {
	server := startRedis()
	redisClient := redis.NewClient(&redis.Options{Addr: server.Addr()})
	sub := redisClient.Subscribe(context.Background(), channel)
	if _, err := sub.Receive(context.Background()); err != nil { // the confirmation
		log.Fatal(err)
	}
	heard = func() string {
		m, err := sub.ReceiveMessage(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		var envelope struct {
			Type    string
			Content json.RawMessage
		}
		if err := json.Unmarshal([]byte(m.Payload), &envelope); err != nil {
			log.Fatal(err)
		}
		return fmt.Sprintf("%s %s %s", m.Channel, envelope.Type, envelope.Content)
	}
	stop = func() {
		_ = sub.Close()
		_ = redisClient.Close()
		server.Close()
	}
	return notification.NewClient(redisClient), heard, stop
}

// A message that must not be lost waits in Redis for the gateways. Its ID makes it
// harmless to send it again when there was no answer.
func ExampleWithDurable() {
	server := startRedis()
	defer server.Close()
	redisClient := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer redisClient.Close()

	c := notification.NewClient(redisClient, notification.WithDurable())
	request := &notification.UserNotificationRequest{ID: "order-42-paid", UserID: "42", Title: "Order 42 is paid"}
	err := c.SendUserNotification(context.Background(), request)
	if err != nil { // Redis may have it all the same
		err = c.SendUserNotification(context.Background(), request)
	}
	if err != nil {
		log.Fatal(err)
	}
	waiting, _ := redisClient.XRange(context.Background(), "websocket:publish", "-", "+").Result()
	fmt.Println(waiting[0].Values["channel"], waiting[0].Values["id"])
	// Output: notification:42 order-42-paid
}
