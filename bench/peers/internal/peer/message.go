package peer

import "encoding/json"

// JoinRoom returns the room that a client's message asks to join:
//
//	{"type":"join_room","content":"ROOM"}
func JoinRoom(message []byte) (room string, ok bool) {
	var m struct {
		Type    string `json:"type"`
		Content string `json:"content"`
	}
	if err := json.Unmarshal(message, &m); err != nil {
		return "", false
	}
	return m.Content, m.Type == "join_room" && m.Content != ""
}

// Joined returns the answer to a message that asked to join room.
func Joined(room string) []byte {
	b, err := json.Marshal(struct {
		Type string `json:"type"`
		Room string `json:"room"`
	}{"joined", room})
	if err != nil {
		panic(err) // two strings always can be encoded
	}
	return b
}
