// The rules of ops/values.yml as a mixin, for those who build their rules with jsonnet.
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
}
