{{- define "kcl-flowlog.fullname" -}}
{{- if contains "kcl-flowlog" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-kcl-flowlog" .Release.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* The rules select the job kcl-flowlog, which the PodMonitor takes from the name: so it can't be changed. */}}
{{- define "kcl-flowlog.selector" -}}
app.kubernetes.io/name: kcl-flowlog
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kcl-flowlog.labels" -}}
{{ include "kcl-flowlog.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "kcl-flowlog.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "kcl-flowlog.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* A duration of the settings in whole seconds, rounded up. */}}
{{- define "kcl-flowlog.seconds" -}}
{{- $text := toString . }}
{{- $number := regexFind "^[0-9]+" $text | int }}
{{- $unit := regexFind "[a-z]+$" $text | default "s" }}
{{- if eq $unit "ms" }}{{ div (add $number 999) 1000 }}
{{- else }}{{ mul $number (get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) $unit) }}{{ end }}
{{- end }}

{{/* The last checkpoints, the last scrape, and 15 s for all else. */}}
{{- define "kcl-flowlog.gracePeriod" -}}
{{- $set := merge (dict) .Values.config (dict "shutdown-grace" "30s" "final-scrape-timeout" "30s") }}
{{- $grace := include "kcl-flowlog.seconds" (get $set "shutdown-grace") | int }}
{{- $scrape := include "kcl-flowlog.seconds" (get $set "final-scrape-timeout") | int }}
{{- add $grace $scrape 15 }}
{{- end }}

{{/* The file of --config.file. */}}
{{- define "kcl-flowlog.config" -}}
{{- $own := dict "state-dir" "/var/lib/kcl-flowlog" "web.listen-address" (printf ":%d" (int .Values.port)) }}
{{- if .Values.webConfig.secretName }}
{{- $_ := set $own "web.config.file" (printf "/etc/kcl-flowlog/web/%s" .Values.webConfig.file) }}
{{- if not (hasKey .Values.config "web.probes-without-auth") }}{{ $_ := set $own "web.probes-without-auth" true }}{{ end }}
{{- end }}
{{- /* With TLS or users, the instances need a certificate authority or a user to ask each other: so nothing is guessed. */}}
{{- $hasNoWho := has (get .Values.config "who" | toString | trim | lower) (list "false" "f" "no" "n" "off" "0") }}
{{- if not (or .Values.webConfig.secretName (hasKey .Values.config "peers") $hasNoWho) }}
{{- $_ := set $own "peers" (printf "dns+http://%s:%d" (include "kcl-flowlog.fullname" .) (int .Values.port)) }}
{{- end }}
{{- $stream := required "Set config.stream to the name of the Kinesis stream." .Values.config.stream }}
{{- range $key, $value := merge $own .Values.config }}
{{- if not (and (kindIs "string" $value) (eq $value "")) }}
{{ $key }}: {{ $value | toJson }}
{{- end }}
{{- end }}
{{- end }}

{{/* Over HTTP if it is plain; else the command of the product, which knows TLS and users. */}}
{{- define "kcl-flowlog.probe" -}}
{{- if .root.Values.webConfig.secretName -}}
exec:
  command: {{ .command | toJson }}
timeoutSeconds: 5
{{- else -}}
httpGet: {path: {{ .path }}, port: http}
timeoutSeconds: 3
{{- end }}
{{- end }}
