package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// envPrefix begins the name of every environment variable that sets a key.
const envPrefix = "GATEWAY_"

// anyName stands in a key for a name that the operator chooses.
const anyName = "*"

// key is one setting: its name, such as limits.message_bytes, and its type.
// The keys of a namespace have anyName in the place of the namespace's name.
type key struct {
	name string
	typ  reflect.Type
}

// keys are all settings, in the order of Config's fields.
var keys = appendKeys(nil, "", reflect.TypeFor[Config]())

func appendKeys(dst []key, prefix string, typ reflect.Type) []key {
	for field := range typ.Fields() {
		name := prefix + field.Tag.Get("koanf")
		switch field.Type.Kind() {
		case reflect.Struct:
			dst = appendKeys(dst, name+".", field.Type)
		case reflect.Map:
			dst = appendKeys(dst, name+"."+anyName+".", field.Type.Elem())
		default:
			dst = append(dst, key{name, field.Type})
		}
	}
	return dst
}

// lookupKey finds the key that a name in a file or a flag stands for, and the
// path at which its value belongs in the tree of sections. Namespaces may have
// dots in their names, so the name is not simply cut at its dots.
func lookupKey(name string) (k key, path []string, ok bool) {
	for _, k := range keys {
		if chosen, ok := matchName(k.name, name); ok {
			return k, k.path(chosen), true
		}
	}
	return key{}, nil, false
}

// lookupEnv is lookupKey for a variable's name without envPrefix. The name of
// a namespace is always in lower case there.
func lookupEnv(name string) (k key, path []string, ok bool) {
	for _, k := range keys {
		if chosen, ok := matchName(k.env(), name); ok {
			return k, k.path(strings.ToLower(chosen)), true
		}
	}
	return key{}, nil, false
}

// matchName reports whether name fits pattern, and what stands in the place of
// anyName if the pattern has one.
func matchName(pattern, name string) (chosen string, ok bool) {
	before, after, open := strings.Cut(pattern, anyName)
	if !open {
		return "", pattern == name
	}
	chosen, hasBefore := strings.CutPrefix(name, before)
	chosen, hasAfter := strings.CutSuffix(chosen, after)
	return chosen, hasBefore && hasAfter && chosen != ""
}

// env is the name of the variable that sets the key, without envPrefix.
func (k key) env() string {
	return strings.ToUpper(strings.ReplaceAll(k.name, ".", "_"))
}

func (k key) path(chosen string) []string {
	path := strings.Split(k.name, ".")
	if i := slices.Index(path, anyName); i >= 0 {
		path[i] = chosen
	}
	return path
}

// isSection reports whether keys lie below path in the tree of sections.
func isSection(path []string) bool {
	return len(keysBelow(path)) > 0
}

// keysBelow lists the names that may stand directly below path.
func keysBelow(path []string) []string {
	var names []string
	for _, k := range keys {
		parts := strings.Split(k.name, ".")
		if len(parts) <= len(path) {
			continue
		}
		below := true
		for i, part := range path {
			below = below && (parts[i] == part || parts[i] == anyName)
		}
		if name := parts[len(path)]; below && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

var errNoValue = errors.New("has no value: give it one, or remove the line to have the default")

// parseText turns what stands in a variable or a flag into the key's type.
// Lists are separated by commas.
func (k key) parseText(name, text string) (any, error) {
	switch {
	case k.typ.Kind() == reflect.Bool:
		if b, err := strconv.ParseBool(text); err == nil {
			return b, nil
		}
	case k.typ.Kind() == reflect.Int:
		if n, err := strconv.Atoi(text); err == nil {
			return n, nil
		}
	case k.typ.Kind() == reflect.Slice:
		return splitList(text), nil
	default:
		return k.parse(name, text)
	}
	return nil, k.wrongType(name, text)
}

// parse turns a value of a YAML file into the key's type. It converts nothing
// that could be a mistake: no 1 for true, no number without a unit for a time.
func (k key) parse(name string, value any) (any, error) {
	if value == nil {
		return nil, fmt.Errorf("%s %w", name, errNoValue)
	}
	switch v := value.(type) {
	case string:
		if k.typ.Kind() == reflect.String {
			return v, nil
		}
		if d, err := time.ParseDuration(v); err == nil && k.typ == reflect.TypeFor[time.Duration]() {
			return d, nil
		}
	case []any:
		if list, ok := stringList(v); ok && k.typ.Kind() == reflect.Slice {
			return list, nil
		}
	default:
		if reflect.TypeOf(value) == k.typ {
			return value, nil
		}
	}
	return nil, k.wrongType(name, value)
}

func (k key) wrongType(name string, value any) error {
	allowed := "a string (in quotes if it looks like something else)"
	switch {
	case k.typ == reflect.TypeFor[time.Duration]():
		allowed = "a time with its unit, such as 10s or 1m30s"
	case k.typ.Kind() == reflect.Bool:
		allowed = "true or false"
	case k.typ.Kind() == reflect.Int:
		allowed = "a whole number"
	case k.typ.Kind() == reflect.Slice:
		allowed = "a list of strings"
	}
	return invalid(name, value, allowed)
}

// invalid is the error of a value that a key does not take. It names the key,
// what is allowed and, unless it is a secret, the value.
func invalid(name string, value any, allowed string) error {
	if isSecret(name) {
		return fmt.Errorf("%s must be %s", name, allowed)
	}
	if text, ok := value.(string); ok {
		value = strconv.Quote(text)
	}
	return fmt.Errorf("%s must be %s, not %v", name, allowed, value)
}

func splitList(text string) []string {
	list := []string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

func stringList(values []any) ([]string, bool) {
	list := make([]string, 0, len(values))
	for _, value := range values {
		text, ok := value.(string)
		if !ok {
			return nil, false
		}
		list = append(list, text)
	}
	return list, true
}
