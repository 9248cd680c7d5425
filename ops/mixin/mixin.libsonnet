// The rules and dashboards of ops/ as a mixin, for those who build theirs with jsonnet.
{
  _config+:: {
    // Labels that every alert gets besides its severity.
    alertLabels: {},
  },

  local labelled(group) = group {
    rules: [rule { labels+: $._config.alertLabels } for rule in group.rules],
  },

  prometheusRules+:: {
    groups+: (import 'rules.json').groups,
  },

  prometheusAlerts+:: {
    groups+: [labelled(group) for group in (import 'alerts.json').groups],
  },

  grafanaDashboards+:: {
    'kcl-flowlog-overview.json': import '../grafana/dashboards/overview.json',
    'kcl-flowlog-subnet.json': import '../grafana/dashboards/subnet.json',
    'kcl-flowlog-cost.json': import '../grafana/dashboards/cost.json',
    'kcl-flowlog-pipeline.json': import '../grafana/dashboards/pipeline.json',
  },
}
