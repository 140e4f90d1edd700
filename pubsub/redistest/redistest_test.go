package redistest

import (
	"net"
	"testing"
	"time"
)

func TestServer_RestartsEmptyOnItsPort(t *testing.T) {
	s := Start(t)
	if got := s.CLI("SET", "key", "value"); got != "OK" {
		t.Fatalf("SET = %q, want OK", got)
	}
	s.Kill()
	s.Kill() // has no effect
	if conn, err := net.DialTimeout("tcp", s.Addr(), time.Second); err == nil {
		_ = conn.Close()
		t.Error("something listens after Kill")
	}
	s.Restart()
	if got := s.CLI("GET", "key"); got != "" {
		t.Errorf("GET after Restart = %q, want nothing", got)
	}
}
