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
