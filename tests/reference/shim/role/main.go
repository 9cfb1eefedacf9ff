// In place of a reference plugin's own main.go: its tests call these functions, and
// what answers is the executable under test.
package main

import (
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/plugins/plugins/shim/call"
)

func cmdAdd(args *skel.CmdArgs) error { return call.Plugin(args) }
func cmdDel(args *skel.CmdArgs) error { return call.Plugin(args) }

func main() {}
