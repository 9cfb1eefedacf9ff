// Stands under the name of a reference IPAM plugin in front of PATH, where the main
// plugins of the suites look for it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/containernetworking/plugins/plugins/shim/call"
)

func main() {
	request, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = call.Pass(request, os.Stdout)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wrapper:", err)
		os.Exit(2)
	}
}
