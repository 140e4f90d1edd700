package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// AskInfo asks a server for a field of a section of INFO, over one connection or any of
// a client's. It returns "" where the server has no such field, or refuses to tell, and
// an error only when it did not answer. It waits for Redis.
func AskInfo(ctx context.Context, c redis.Cmdable, section, field string) (string, error) {
	info, err := c.Info(ctx, section).Result()
	var refusal redis.Error
	if err != nil && !errors.As(err, &refusal) { // the embedded Redis has few sections, and ACLs may forbid it
		return "", fmt.Errorf("ask who it is: %w", err)
	}
	return InfoField(info, field), nil
}

// InfoField finds a field in an answer to INFO, "" if it has none.
func InfoField(info, field string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
