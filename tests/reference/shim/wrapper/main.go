// Stands under the name of a reference IPAM plugin in front of PATH, where the main
// plugins of the suites look for it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/plugins/plugins/shim/call"
)

func answer() error {
	request, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	result, err := call.Pass(request)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(result)
	return err
}

func main() {
	var object *types.Error
	err := answer()
	if errors.As(err, &object) {
		_ = object.Print() // a caller that has gone needs no answer
		os.Exit(1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wrapper:", err)
		os.Exit(2)
	}
}
