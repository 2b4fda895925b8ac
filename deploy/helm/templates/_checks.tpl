{{/*
What no schema can say: values that are each right, and wrong together. The settings are only
looked at for a state database in a file.
*/}}
{{- define "syncd.checks" -}}
{{- $daemon := eq .Values.mode "daemon" -}}
{{- $file := regexMatch "(?m)^[^#\n]*[\"']sqlite:" .Values.settings -}}
{{- $_ := required "settings is empty; give the text of syncd.toml: --set-file settings=syncd.toml" .Values.settings -}}
{{- if and $daemon (gt (int .Values.replicas) 1) (or $file .Values.state.claim) -}}
{{- fail (printf "replicas is %d, but only one daemon can use a SQLite state; set replicas=1, or name a PostgreSQL in state.url and leave state.claim empty" (int .Values.replicas)) -}}
{{- end -}}
{{- if and $file (not .Values.state.claim) -}}
{{- fail "the settings name a SQLite state, which would be lost with its pod; set state.claim to an existing claim, or name a PostgreSQL in state.url" -}}
{{- end -}}
{{- if and (not $daemon) .Values.serviceMonitor.enabled -}}
{{- fail "serviceMonitor.enabled needs mode=daemon: a cron job has no metrics to collect" -}}
{{- end -}}
{{- if and (not $daemon) .Values.prometheusRule.enabled -}}
{{- fail "prometheusRule.enabled needs mode=daemon: the alerts are about a daemon's metrics, and SyncdDown would fire for ever" -}}
{{- end -}}
{{- end }}
