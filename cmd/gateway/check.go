package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/spf13/cobra"
)

func newCheckCommand(p process, src *sources) *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and exit",
		Long: `Check the configuration as "gateway serve" would read it, from the same file,
environment and flags. Exits with 1 and says everything that is wrong, if
anything is. Nothing is started and no server is asked.`,
		Example: `  gateway check --config configs/gateway.yaml
  gateway check --config configs/gateway.yaml --print`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return check(p, *src, show)
		},
	}
	cmd.Flags().BoolVar(&show, "print", false, "print every key as it would be used, secrets masked")
	return cmd
}

func check(p process, src sources, show bool) error {
	cfg, ignored, err := src.load()
	if err != nil {
		return err
	}
	if len(ignored) > 0 {
		fmt.Fprintf(p.errOut, "note: no key matches the environment's %s\n", strings.Join(ignored, ", "))
	}
	if show {
		text, err := yaml.Parser().Marshal(tree(reflect.ValueOf(cfg.withoutSecrets())))
		if err != nil {
			return fmt.Errorf("printing the configuration: %w", err)
		}
		fmt.Fprintf(p.out, "%s", text)
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	if show {
		// The output is a configuration file: keep it one.
		fmt.Fprint(p.out, "# ")
	}
	fmt.Fprintln(p.out, "configuration is valid")
	return nil
}

// tree turns a struct of the configuration into sections and values under
// their keys' names.
func tree(section reflect.Value) map[string]any {
	t := map[string]any{}
	for field, value := range section.Fields() {
		t[field.Tag.Get("koanf")] = branch(value)
	}
	return t
}

func branch(value reflect.Value) any {
	switch value.Kind() {
	case reflect.Struct:
		return tree(value)
	case reflect.Map:
		named := map[string]any{}
		for name, below := range value.Seq2() {
			named[name.String()] = tree(below)
		}
		return named
	default:
		return value.Interface()
	}
}
