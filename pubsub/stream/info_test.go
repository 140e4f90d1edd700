package stream

import "testing"

func TestInfoField(t *testing.T) {
	for info, want := range map[string]string{
		"": "", "# Replication\r\nrole:master\r\nid:abc\r\nconnected_slaves:0\r\n": "abc", "idx:1": "", "x:id:1": "",
	} {
		if got := InfoField(info, "id"); got != want {
			t.Errorf("InfoField(%q) = %q, want %q", info, got, want)
		}
	}
}
