// In place of host-local's own dns.go: what its tests learn about a resolv.conf, they
// learn from the plugin's result.
package main

import (
	"encoding/json"
	"os"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/plugins/plugins/shim/call"
)

func parseResolvConf(path string) (*types.DNS, error) {
	conf := `{"cniVersion": "1.0.0", "name": "mynet", "type": "ipvlan", "ipam": {"type": "host-local",
		"subnet": "10.1.2.0/24", "resolvConf": "` + path + `"}}`
	for name, value := range map[string]string{"COMMAND": "ADD", "CONTAINERID": "dummy",
		"NETNS": "/some/where", "IFNAME": "eth0", "PATH": os.Getenv("PATH")} {
		os.Setenv("CNI_"+name, value)
		defer os.Unsetenv("CNI_" + name)
	}
	var result current.Result
	raw, err := call.Result(&skel.CmdArgs{StdinData: []byte(conf)})
	if err == nil {
		err = json.Unmarshal(raw, &result)
	}
	return &result.DNS, err
}
