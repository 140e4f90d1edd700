package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Save writes the document to DIR/DATE-NAME.json and returns the file's name.
func (d *Document) Save(dir string) (string, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("bench: save results: %w", err)
	}
	return d.write(dir, ".json", append(b, '\n'))
}

// Load reads a document that Save has written.
func Load(path string) (*Document, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("bench: load results: %w", err)
	}
	d := &Document{}
	if err := json.Unmarshal(b, d); err != nil {
		return nil, fmt.Errorf("bench: load results: %s: %w", path, err)
	}
	if d.Schema != Schema {
		return nil, fmt.Errorf("bench: load results: %s has schema %d, want %d", path, d.Schema, Schema)
	}
	return d, nil
}

func (d *Document) write(dir, suffix string, b []byte) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("bench: save results: %w", err)
	}
	path := filepath.Join(dir, d.Started.Format("2006-01-02")+"-"+d.Name+suffix)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return "", fmt.Errorf("bench: save results: %w", err)
	}
	return path, nil
}
