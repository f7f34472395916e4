{{- define "regard.name" -}}
{{- if contains "regard" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-regard" (.Release.Name | trunc 33) }}{{ end }}
{{- end }}

{{- /* Pods of this release. The name is the job's: the rules and the dashboard know it. */}}
{{- define "regard.selector" -}}
app.kubernetes.io/name: regard
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "regard.labels" -}}
{{ include "regard.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- /* A setting of the server as a flag; a list with commas. */}}
{{- define "regard.flag" -}}
{{- $value := .value }}
{{- if kindIs "slice" $value }}{{ $value = join "," $value }}{{ end }}
{{- if kindIs "float64" $value }}{{ $value = $value | toJson }}{{ end }}
{{- printf "--%s=%v" (.name | replace "_" "-") $value | toJson }}
{{- end }}

{{- define "regard.modelsVolume" -}}
name: models
{{- if eq .Values.models.from "image" }}
image: {reference: {{ .Values.models.image | quote }}, pullPolicy: IfNotPresent}
{{- else if eq .Values.models.from "claim" }}
persistentVolumeClaim: {claimName: {{ .Values.models.claim }}, readOnly: true}
{{- else }}
emptyDir: {sizeLimit: {{ .Values.models.size }}}
{{- end }}
{{- end }}
