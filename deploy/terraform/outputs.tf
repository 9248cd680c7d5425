output "stream_arn" {
  description = "The setting --stream of kcl-flowlog."
  value       = aws_kinesis_stream.flow_logs.arn
}

output "instance_policy_arn" {
  description = "Attach it to the role of the instances."
  value       = aws_iam_policy.instance.arn
}

output "instance_role_arn" {
  description = "The role of the instances, or null."
  value       = one(aws_iam_role.instance[*].arn)
}
