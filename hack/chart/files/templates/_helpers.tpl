{{/* The environment variables of settings, and those of env. A setting that is empty is none. */}}
{{- define "license-operator.env" -}}
{{- $labels := list }}
{{- range $key, $value := .Values.settings.alertsLabels }}
{{- $labels = append $labels (printf "%s=%s" $key $value) }}
{{- end }}
{{- range list
	(list "MAX_RESTRICTION" .Values.settings.maxRestriction)
	(list "ALERTS_LABELS" (join "," $labels))
	(list "ALERTS_NAMESPACE" .Values.settings.alertsNamespace)
	(list "RUNBOOK_BASE_URL" .Values.settings.runbookBaseURL)
}}
{{- if last . }}
- name: LICENSE_OPERATOR_{{ first . }}
  value: {{ last . | quote }}
{{- end }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}
