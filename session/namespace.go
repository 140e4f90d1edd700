package session

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ginforge/gateway/session/auth"
)

// Policy says who may do something in a namespace.
type Policy string

// Policies. A token's caps restrict its holder in every namespace; AllowCaps
// demands in addition that the token has caps, and that they name the room.
const (
	AllowAny  Policy = "any"
	AllowCaps Policy = "caps"
	AllowNone Policy = "none"
)

// Namespace is the rules for the rooms of a namespace: the part of their names
// before the first colon.
type Namespace struct {
	Presence     bool   // members learn each other's status and may ask who is there
	Join         Policy // who may join; rooms listed in a token are joined regardless
	Publish      Policy // which clients may send; backends always may
	MessageBytes int    // bounds a message below Limits.MessageBytes; 0: that limit
	History      History
	Delivery     Delivery // to those who read too slowly; only without History
}

// DefaultNamespace is the name of the rules for rooms without rules of their own.
const DefaultNamespace = "default"

// Namespaces are the rules by name.
type Namespaces map[string]Namespace

func (n Namespaces) validate() error {
	for name, rules := range n {
		for key, p := range map[string]Policy{"join": rules.Join, "publish": rules.Publish} {
			if p != AllowAny && p != AllowCaps && p != AllowNone {
				return fmt.Errorf("session: namespaces.%s.%s is %q: allowed are any, caps and none", name, key, p)
			}
		}
		if rules.MessageBytes < 0 {
			return fmt.Errorf("session: namespaces.%s.message_bytes is %d: allowed is 0 and up", name, rules.MessageBytes)
		}
		if err := rules.History.validate("namespaces." + name + ".history"); err != nil {
			return err
		}
		if err := rules.validateDelivery("namespaces." + name + ".delivery"); err != nil {
			return err
		}
	}
	if _, ok := n[DefaultNamespace]; !ok {
		return fmt.Errorf("session: namespaces has no %q", DefaultNamespace)
	}
	return nil
}

// HasPresence reports whether members of a room learn each other's status.
func (n Namespaces) HasPresence(room string) bool { return n.of(room).Presence }

// validateDelivery refuses to drop what has an offset: clients would take it for
// lost and ask for it.
func (n Namespace) validateDelivery(name string) error {
	if n.History.kept() && (n.Delivery.Class == DeliverLatest || n.Delivery.Class == DeliverDrop) {
		return fmt.Errorf("session: %s.class is %q: allowed is must where history is kept", name, n.Delivery.Class)
	}
	return n.Delivery.validate(name)
}

// of returns the rules for a room.
func (n Namespaces) of(room string) Namespace {
	name, _, found := strings.Cut(room, ":")
	if rules, ok := n[name]; found && ok {
		return rules
	}
	return n[DefaultNamespace]
}

// allows applies a policy to the holder of caps; able asks the caps themselves.
func (p Policy) allows(caps *auth.Caps, able func(*auth.Caps) bool) bool {
	switch p {
	case AllowAny:
		return able(caps)
	case AllowCaps:
		return caps != nil && able(caps)
	default:
		return false
	}
}

// ValidRoomName reports whether a name is 1 to limit bytes of UTF-8 without
// control characters.
func ValidRoomName(name string, limit int) bool {
	return name != "" && len(name) <= limit && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}
