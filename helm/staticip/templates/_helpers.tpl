{{- define "staticip.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Called with (list . "controller"): what selects the component's pods, for ever. */}}
{{- define "staticip.selector" -}}
{{- $top := index . 0 -}}
app.kubernetes.io/name: staticip
app.kubernetes.io/instance: {{ $top.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "staticip.labels" -}}
{{- $top := index . 0 -}}
{{ include "staticip.selector" . }}
app.kubernetes.io/version: {{ $top.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: staticip
app.kubernetes.io/managed-by: {{ $top.Release.Service }}
helm.sh/chart: {{ $top.Chart.Name }}-{{ $top.Chart.Version }}
{{- end -}}

{{- define "staticip.image" -}}
{{- $top := index . 0 -}}
{{- $image := index . 1 -}}
{{ $image.repository }}:{{ $image.tag | default $top.Chart.AppVersion }}
{{- end -}}

{{/* The variables from which the in-cluster configuration is read, where they are overruled. */}}
{{- define "staticip.apiserver" -}}
{{- with .Values.apiServer.host -}}
- name: KUBERNETES_SERVICE_HOST
  value: {{ . | quote }}
- name: KUBERNETES_SERVICE_PORT
  value: {{ $.Values.apiServer.port | quote }}
{{- end -}}
{{- end -}}

{{/* Called with (list . "controller"): where it answers for its health and its metrics. */}}
{{- define "staticip.addresses" -}}
{{- $top := index . 0 -}}
{{- $values := index $top.Values (index . 1) -}}
- --health-address=127.0.0.1:{{ int $values.healthPort }}
{{- if $top.Values.metrics.enabled }}
- --metrics-address=:{{ int $values.metricsPort }}
{{- end }}
{{- end -}}

{{/* Named, so that the scheduler lets nobody else have them on the node. */}}
{{- define "staticip.ports" -}}
{{- $top := index . 0 -}}
{{- $values := index $top.Values (index . 1) -}}
- {name: health, containerPort: {{ int $values.healthPort }}, hostPort: {{ int $values.healthPort }}, hostIP: 127.0.0.1}
{{- if $top.Values.metrics.enabled }}
- {name: metrics, containerPort: {{ int $values.metricsPort }}, hostPort: {{ int $values.metricsPort }}}
{{- end }}
{{- end -}}

{{/* What the kubelet asks. Not alive: for a minute no answer, or one that only a new start mends. */}}
{{- define "staticip.probes" -}}
{{- $top := index . 0 -}}
{{- $port := int (index $top.Values (index . 1)).healthPort -}}
# An agent waits up to a minute for its predecessor on the node to end.
startupProbe:
  httpGet: {host: 127.0.0.1, port: {{ $port }}, path: /livez}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 120
livenessProbe:
  httpGet: {host: 127.0.0.1, port: {{ $port }}, path: /livez}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {host: 127.0.0.1, port: {{ $port }}, path: /readyz}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}

{{/* The pods' annotations; those for Prometheus where no PodMonitor tells it of them. */}}
{{- define "staticip.annotations" -}}
{{- $top := index . 0 -}}
{{- $values := index $top.Values (index . 1) -}}
{{- $scraped := dict -}}
{{- if and $top.Values.metrics.enabled (not $top.Values.metrics.podMonitor.enabled) -}}
{{- $scraped = dict "prometheus.io/scrape" "true" "prometheus.io/port" (int $values.metricsPort | toString) -}}
{{- end -}}
{{- with merge (dict) $values.podAnnotations $scraped -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}
