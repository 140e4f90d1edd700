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
