{{/* What daemon and cron job have in common: labels and annotations of their pods. */}}
{{- define "syncd.pod.labels" -}}
{{- $labels := include "syncd.labels" . | fromYaml -}}
{{- if .Values.workloadIdentity.clientId -}}
{{- $_ := set $labels "azure.workload.identity/use" "true" -}}
{{- end -}}
{{- merge $labels .Values.podLabels | toYaml -}}
{{- end }}

{{- define "syncd.pod.annotations" -}}
{{- $annotations := dict "checksum/settings" (sha256sum .Values.settings) -}}
{{- if and (eq .Values.mode "daemon") (not .Values.serviceMonitor.enabled) -}}
{{- $_ := set $annotations "prometheus.io/scrape" "true" -}}
{{- $_ := set $annotations "prometheus.io/port" "8090" -}}
{{- $_ := set $annotations "prometheus.io/path" "/metrics" -}}
{{- end -}}
{{- merge $annotations .Values.podAnnotations | toYaml -}}
{{- end }}

{{/* The pod's own part, before its containers. */}}
{{- define "syncd.pod" -}}
serviceAccountName: {{ include "syncd.account" . }}
automountServiceAccountToken: false  # it asks the cluster for nothing
# A service called syncd would set SYNCD_PORT and others; that prefix is for settings.
enableServiceLinks: false
terminationGracePeriodSeconds: 60  # 25 s for what is in flight, and the web server's end
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toJson . }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
volumes:
  - name: settings
    configMap: {name: {{ include "syncd.name" . }}}
  {{- with .Values.secret }}
  - name: secrets
    secret: {secretName: {{ . }}, defaultMode: 0440}
  {{- end }}
  {{- with .Values.people.claim }}
  - name: people
    persistentVolumeClaim: {claimName: {{ . }}, readOnly: true}
  {{- end }}
  - name: work
    {{- if .Values.state.claim }}
    persistentVolumeClaim: {claimName: {{ .Values.state.claim }}}
    {{- else }}
    emptyDir: {sizeLimit: {{ .Values.work.sizeLimit }}}
    {{- end }}
  {{- with .Values.extra.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* The container's own part, which may change nothing but its work folder. */}}
{{- define "syncd.container" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources: {{ toJson .Values.resources }}
env:
  - {name: SYNCD_ADMIN__LISTEN, value: "0.0.0.0:8090"}
  {{- with .Values.lease }}
  - {name: SYNCD_DAEMON__LEASE, value: {{ . | quote }}}
  {{- end }}
  {{- with .Values.extra.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  - {name: settings, mountPath: /etc/syncd, readOnly: true}
  {{- if .Values.secret }}
  - {name: secrets, mountPath: /run/secrets/syncd, readOnly: true}
  {{- end }}
  {{- if .Values.people.claim }}
  - {name: people, mountPath: /srv/hr, readOnly: true}
  {{- end }}
  - {name: work, mountPath: /var/lib/syncd}
  {{- with .Values.extra.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
