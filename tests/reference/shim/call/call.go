// Package call executes the plugin under test as a container runtime does.
package call

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
)

// executable has the name of what it stands for: that of a suite (static.test) or of
// the wrapper (static). run.sh says where executables of these names are.
func executable() *exec.Cmd {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".test")
	return exec.Command(filepath.Join(os.Getenv("REFERENCE_PLUGINS"), name))
}

// Pass executes the plugin with this process's environment. Each call leaves a line
// in a file: a suite that never reached the plugin has shown nothing.
func Pass(theirs []byte, out io.Writer) error {
	request, err := translated(theirs)
	if err != nil {
		return err
	}
	calls, err := os.OpenFile(os.Getenv("REFERENCE_CALLS"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer calls.Close()
	fmt.Fprintln(calls, os.Getenv("CNI_COMMAND"))
	plugin := executable()
	plugin.Stdin, plugin.Stdout, plugin.Stderr = bytes.NewReader(request), out, os.Stderr
	err = plugin.Run()
	if os.Getenv("REFERENCE_WITH") == "staticip" {
		err = errors.Join(err, showLeases(theirs))
	}
	return err
}

// Result runs the verb that the suite put into the environment; an error object of
// the plugin comes back as an error with its words.
func Result(args *skel.CmdArgs) ([]byte, error) {
	var out bytes.Buffer
	os.Setenv("CNI_ARGS", args.Args)
	defer os.Unsetenv("CNI_ARGS")
	err := Pass(args.StdinData, &out)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, failure(out.Bytes(), exit)
	}
	return out.Bytes(), err
}

// Plugin is what cmdAdd, cmdCheck and cmdDel of a suite do: the suite picks the
// result up from standard output.
func Plugin(args *skel.CmdArgs) error {
	result, err := Result(args)
	if err == nil {
		_, err = os.Stdout.Write(result)
	}
	return err
}

// Exit 1 and an error object, or the plugin broke the protocol. The suites compare
// whole sentences: msg is that sentence, details is the way out that ours adds.
func failure(answer []byte, exit *exec.ExitError) error {
	var object types.Error
	if err := json.Unmarshal(answer, &object); err != nil || object.Msg == "" || exit.ExitCode() != 1 {
		return fmt.Errorf("no CNI error but %v: %q", exit, answer)
	}
	return errors.New(theirWords(object.Msg))
}
