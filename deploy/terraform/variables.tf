variable "region" {
  description = "Region of the provider, which names the ARNs of the policies."
  type        = string
}

variable "vpc_id" {
  description = "VPC whose traffic is recorded."
  type        = string
}

variable "log_group_name" {
  description = "Log group of the flow log."
  type        = string
  default     = "/vpc/flow-logs"
}

variable "log_retention_days" {
  description = "How long CloudWatch Logs keeps the records. kcl-flowlog reads the stream only."
  type        = number
  default     = 7
}

variable "stream_name" {
  description = "The setting --stream of kcl-flowlog."
  type        = string
  default     = "flow-logs"
}

variable "stream_retention_hours" {
  description = "How long instances may be down without a loss."
  type        = number
  default     = 24
}

variable "shard_count" {
  description = "Shards of the stream; 0 is a stream on demand."
  type        = number
  default     = 0
}

variable "kms_key_arn" {
  description = "Key that encrypts the stream. Empty is the key of AWS for Kinesis, which needs no permission."
  type        = string
  default     = ""
}

variable "application_name" {
  description = "The setting --application of kcl-flowlog, by which its tables are named."
  type        = string
  default     = "kcl-flowlog"
}

variable "instance_service" {
  description = "What the instances run on, to get a role for them, such as ecs-tasks.amazonaws.com. Empty makes none."
  type        = string
  default     = ""

  validation {
    condition = contains(
      ["", "ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "pods.eks.amazonaws.com"], var.instance_service
    )
    error_message = "Use ec2.amazonaws.com, ecs-tasks.amazonaws.com, pods.eks.amazonaws.com, or nothing."
  }
}
