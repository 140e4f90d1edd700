package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// configVariable names the configuration file when no flag does.
const configVariable = envPrefix + "CONFIG"

// sources are the places from which a configuration is put together: each
// overrides the one before it, and the first overrides DefaultConfig.
type sources struct {
	file    string    // path of a YAML file; empty for $GATEWAY_CONFIG or none
	environ []string  // as os.Environ returns it
	flags   []setting // in the order in which they were given
}

// setting is a key and a value as text, and the flag that they came with.
type setting struct {
	flag, key, value string
}

// layer is a tree of sections with values of the keys' types at its leaves.
type layer map[string]any

func (l layer) set(path []string, value any) {
	for _, name := range path[:len(path)-1] {
		below, ok := l[name].(map[string]any)
		if !ok {
			below = map[string]any{}
			l[name] = below
		}
		l = below
	}
	l[path[len(path)-1]] = value
}

// load puts the configuration together without judging its values; Validate
// does that. It also returns the names of the GATEWAY_ variables that it did
// not use: orchestrators set some such as GATEWAY_PORT for reasons of their
// own, so that they are no error, but one may be a misspelt key.
func (s sources) load() (cfg Config, ignored []string, err error) {
	file, fileErr := s.fileLayer()
	env, ignored, envErr := envLayer(s.environ)
	flags, flagErr := flagLayer(s.flags)
	if err := errors.Join(fileErr, envErr, flagErr); err != nil {
		return Config{}, nil, err
	}
	cfg, err = merge(file, env, flags)
	return cfg, ignored, err
}

// merge lays the layers over the defaults.
func merge(layers ...layer) (Config, error) {
	k := koanf.New(".")
	for _, l := range layers {
		if err := k.Load(confmap.Provider(l, ""), nil); err != nil {
			return Config{}, fmt.Errorf("merging the configuration: %w", err)
		}
	}
	cfg := DefaultConfig()
	// The layers hold exact types already: nothing is converted here, and
	// what fits no field is a fault of ours, not of the operator's.
	strict := koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		TagName: "koanf", Result: &cfg, ErrorUnused: true,
	}}
	if err := k.UnmarshalWithConf("", &cfg, strict); err != nil {
		return Config{}, fmt.Errorf("decoding the configuration: %w", err)
	}
	for name, rules := range cfg.Namespaces {
		cfg.Namespaces[name] = rules.withDefaults()
	}
	return cfg, nil
}

// withDefaults fills in what a namespace leaves out.
func (n NamespaceConfig) withDefaults() NamespaceConfig {
	if n.Join == "" {
		n.Join = allowAny
	}
	if n.Publish == "" {
		n.Publish = allowAny
	}
	if n.History.TTL == 0 {
		n.History.TTL = defaultHistoryTTL
	}
	if n.Delivery.MaxAge == 0 {
		n.Delivery.MaxAge = defaultMaxAge
	}
	return n
}

// fileLayer reads the configuration file, if there is one.
func (s sources) fileLayer() (layer, error) {
	path := s.file
	for _, variable := range s.environ {
		if value, ok := strings.CutPrefix(variable, configVariable+"="); ok && path == "" {
			path = value
		}
	}
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	tree, err := yaml.Parser().Unmarshal(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	l := layer{}
	if errs := l.addSection(nil, tree); len(errs) > 0 {
		for i, err := range errs {
			errs[i] = fmt.Errorf("%s: %w", path, err)
		}
		return nil, errors.Join(errs...)
	}
	return l, nil
}

// addSection adds a section of the file and those below it, and returns an
// error for each key that is unknown or has a value of the wrong type.
func (l layer) addSection(path []string, section map[string]any) []error {
	var errs []error
	for _, name := range sortedNames(section) {
		at := append(slices.Clone(path), name)
		if err := l.addValue(at, section[name], &errs); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func (l layer) addValue(path []string, value any, below *[]error) error {
	name := strings.Join(path, ".")
	if isSection(path) {
		// A section whose lines are all commented out has no value: nothing
		// is set there. A namespace exists by being named.
		section, ok := value.(map[string]any)
		if !ok && value != nil {
			return invalid(name, value, "a section with keys below it")
		}
		if path[0] == "namespaces" && len(path) == 2 {
			l.set(path, map[string]any{})
		}
		*below = append(*below, l.addSection(path, section)...)
		return nil
	}
	k, at, ok := lookupKey(name)
	if !ok || len(at) != len(path) {
		return unknownKey(path)
	}
	v, err := k.parse(name, value)
	if err != nil {
		return err
	}
	l.set(at, v)
	return nil
}

// unknownKey names the key and those that could have been meant.
func unknownKey(path []string) error {
	if names := keysBelow(path); len(names) > 0 {
		return fmt.Errorf("unknown key %s; it is a section with %s", strings.Join(path, "."), strings.Join(names, ", "))
	}
	section := path[:len(path)-1]
	place := "the top level"
	if len(section) > 0 {
		place = strings.Join(section, ".")
	}
	return fmt.Errorf("unknown key %s; %s has %s",
		strings.Join(path, "."), place, strings.Join(keysBelow(section), ", "))
}

func envLayer(environ []string) (l layer, ignored []string, err error) {
	l = layer{}
	var errs []error
	for _, variable := range environ {
		name, text, _ := strings.Cut(variable, "=")
		short, ours := strings.CutPrefix(name, envPrefix)
		if !ours || name == configVariable {
			continue
		}
		k, path, ok := lookupEnv(short)
		if !ok {
			ignored = append(ignored, name)
			continue
		}
		value, err := k.parseText(strings.Join(path, "."), text)
		if err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", name, err))
			continue
		}
		l.set(path, value)
	}
	slices.Sort(ignored)
	return l, ignored, errors.Join(errs...)
}

func flagLayer(flags []setting) (layer, error) {
	l := layer{}
	var errs []error
	for _, f := range flags {
		k, path, ok := lookupKey(f.key)
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %w", f.flag, unknownKey(strings.Split(f.key, "."))))
			continue
		}
		value, err := k.parseText(f.key, f.value)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.flag, err))
			continue
		}
		l.set(path, value)
	}
	return l, errors.Join(errs...)
}

func sortedNames(section map[string]any) []string {
	names := make([]string, 0, len(section))
	for name := range section {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
