package call

import (
	"bytes"
	"encoding/json"
	"os"
)

// translated is the request as staticip wants it. Nothing but what README.md's table
// lists is changed; the reference's own executables get it as it is.
func translated(request []byte) ([]byte, error) {
	var conf map[string]any
	decoder := json.NewDecoder(bytes.NewReader(request))
	decoder.UseNumber()
	if os.Getenv("REFERENCE_WITH") != "staticip" || decoder.Decode(&conf) != nil {
		return request, nil
	}
	rename(conf, "RuntimeConfig", "runtimeConfig")
	if ipam, ok := conf["ipam"].(map[string]any); ok {
		if err := translateIPAM(ipam); err != nil {
			return nil, err
		}
	}
	if conf["type"] == "sbr" {
		translateSBR(conf)
	}
	return json.Marshal(conf)
}

func translateIPAM(ipam map[string]any) error {
	if ipam["type"] == "static" || ipam["type"] == "host-local" {
		ipam["type"] = "staticip"
	}
	delete(ipam, "dataDir")
	if path, ok := ipam["resolvConf"].(string); ok && path != "" {
		return allow(path)
	}
	return nil
}

// allow lists a file for `resolvConf` in the host file (of a private /etc: run.sh).
func allow(path string) error {
	list, err := json.Marshal(map[string]any{"resolvConf": []string{path}})
	if err == nil {
		err = os.MkdirAll("/etc/staticip", 0o755)
	}
	if err == nil {
		err = os.WriteFile("/etc/staticip/plugin.json", list, 0o644)
	}
	return err
}

func translateSBR(conf map[string]any) {
	conf["type"] = "staticip"
	conf["sourceRouting"] = true
	if table, ok := conf["table"]; ok {
		conf["sourceRouting"] = map[string]any{"table": table}
		delete(conf, "table")
	}
}

func rename(object map[string]any, from, to string) {
	if value, ok := object[from]; ok {
		object[to] = value
		delete(object, from)
	}
}

// theirWords: a suite compares whole sentences, and these say the same.
func theirWords(sentence string) string {
	if sentence == "Required prevResult missing" {
		return "This plugin must be called as chained plugin"
	}
	return sentence
}
