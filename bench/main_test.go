package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// binaries is where the gateway is built to, once.
var binaries string

func TestMain(m *testing.M) {
	var err error
	if binaries, err = os.MkdirTemp("", "bench-test-"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(removing{m})
}

// removing removes the binaries after the tests.
type removing struct{ *testing.M }

func (r removing) Run() int {
	defer os.RemoveAll(binaries)
	return r.M.Run()
}

// buildGateway compiles the gateway as it is delivered, without the race
// detector, whatever this test runs with.
func buildGateway(t testing.TB) string {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatalf("building the gateway: %v", err)
	}
	return binary
}

var built = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(binaries, "gateway")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "github.com/ginforge/gateway/cmd/gateway")
	build.Stderr = os.Stderr
	return binary, build.Run()
})
