package api

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// operation is what of a call's description the test looks at.
type operation struct {
	Summary     string
	Parameters  []parameter
	RequestBody any `yaml:"requestBody"`
	Responses   map[string]any
}

// parameter is described elsewhere.
type parameter struct {
	Ref string `yaml:"$ref"`
}

// TestOpenAPI compares docs/openapi.yaml with the routes, in both directions.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]operation
		Components map[string]map[string]any
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.") {
		t.Errorf("openapi is %q, want 3", doc.OpenAPI)
	}
	var described []string
	for path, methods := range doc.Paths {
		for method, op := range methods {
			described = append(described, strings.ToUpper(method)+" "+path)
			if op.Summary == "" || op.Responses["200"] == nil || op.Responses["default"] == nil {
				t.Errorf("%s %s lacks a summary, or an answer for success or failure", method, path)
			}
			for _, name := range []string{"room", "user"} {
				named := slices.ContainsFunc(op.Parameters, func(p parameter) bool {
					return strings.EqualFold(strings.TrimPrefix(p.Ref, "#/components/parameters/"), name)
				})
				if named != strings.Contains(path, "{"+name+"}") {
					t.Errorf("%s %s: the parameter %s is described: %t", method, path, name, named)
				}
			}
		}
	}
	for _, r := range routes {
		i := slices.Index(described, r.name())
		if i < 0 {
			t.Errorf("%s is not described", r.name())
			continue
		}
		described = slices.Delete(described, i, i+1)
	}
	if len(described) > 0 {
		t.Errorf("described, but not there: %q", described)
	}
	for line := range strings.Lines(string(text)) {
		if _, ref, ok := strings.Cut(line, `$ref: "#/components/`); ok {
			ref, _, _ = strings.Cut(ref, `"`)
			section, name, _ := strings.Cut(ref, "/")
			if doc.Components[section][name] == nil {
				t.Errorf("$ref to %s, which is not there", ref)
			}
		}
	}
}
