# The pipeline that kcl-flowlog reads: flow log of a VPC, log group, subscription, Kinesis stream, and the roles of all parts.
# The same as deploy/cloudformation/pipeline.yml; choose one of them.
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  here   = "${var.region}:${data.aws_caller_identity.current.account_id}"
  tables = "arn:${data.aws_partition.current.partition}:dynamodb:${local.here}:table/${var.application_name}"

  # What `kcl-flowlog policy` prints. For fan-out, roles and other settings, attach what it prints for them instead.
  instance_statements = [
    {
      Sid      = "Stream"
      Effect   = "Allow"
      Action   = ["kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"]
      Resource = aws_kinesis_stream.flow_logs.arn
    },
    {
      Sid    = "Leases"
      Effect = "Allow"
      Action = [
        "dynamodb:DescribeTable", "dynamodb:CreateTable", "dynamodb:UpdateTable", "dynamodb:Scan",
        "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem",
      ]
      Resource = local.tables
    },
    {
      Sid      = "LeaseOwners"
      Effect   = "Allow"
      Action   = ["dynamodb:Query"]
      Resource = "${local.tables}/index/*"
    },
    {
      Sid    = "Coordinator"
      Effect = "Allow"
      Action = [
        "dynamodb:DescribeTable", "dynamodb:CreateTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
      ]
      Resource = "${local.tables}-CoordinatorState"
    },
    {
      Sid    = "Workers"
      Effect = "Allow"
      Action = [
        "dynamodb:DescribeTable", "dynamodb:CreateTable", "dynamodb:Scan", "dynamodb:UpdateItem", "dynamodb:DeleteItem",
      ]
      Resource = "${local.tables}-WorkerMetricStats"
    },
    {
      Sid       = "Inventory"
      Effect    = "Allow"
      Action    = ["ec2:DescribeSubnets"]
      Resource  = "*"
      Condition = { StringEquals = { "aws:RequestedRegion" = [var.region] } }
    },
    {
      Sid      = "StreamOptional"
      Effect   = "Allow"
      Action   = ["kinesis:DescribeStreamSummary"]
      Resource = aws_kinesis_stream.flow_logs.arn
    },
    {
      Sid      = "CoordinatorOptional"
      Effect   = "Allow"
      Action   = ["dynamodb:DeleteItem"]
      Resource = "${local.tables}-CoordinatorState"
    },
    {
      Sid       = "InventoryOptional"
      Effect    = "Allow"
      Action    = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeFlowLogs", "ec2:DescribeVpcs"]
      Resource  = "*"
      Condition = { StringEquals = { "aws:RequestedRegion" = [var.region] } }
    },
  ]
  key_statements = [
    {
      Sid      = "Key"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = var.kms_key_arn
    },
  ]
}

resource "aws_cloudwatch_log_group" "flow_logs" {
  name              = var.log_group_name
  retention_in_days = var.log_retention_days
}

resource "aws_iam_role" "flow_log" {
  name_prefix = "flow-log-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "flow_log" {
  name = "write-flow-logs"
  role = aws_iam_role.flow_log.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
        Resource = "${aws_cloudwatch_log_group.flow_logs.arn}:*"
      },
      {
        Effect   = "Allow"
        Action   = "logs:DescribeLogGroups"
        Resource = "arn:${data.aws_partition.current.partition}:logs:${local.here}:log-group:*"
      },
    ]
  })
}

# The format can't be changed later: it holds all that the metrics can tell.
resource "aws_flow_log" "vpc" {
  vpc_id                   = var.vpc_id
  traffic_type             = "ALL"
  max_aggregation_interval = 60
  log_destination_type     = "cloud-watch-logs"
  log_destination          = aws_cloudwatch_log_group.flow_logs.arn
  iam_role_arn             = aws_iam_role.flow_log.arn
  log_format               = "$${version} $${account-id} $${interface-id} $${srcaddr} $${dstaddr} $${srcport} $${dstport} $${protocol} $${packets} $${bytes} $${start} $${end} $${action} $${log-status} $${vpc-id} $${subnet-id} $${az-id} $${flow-direction} $${traffic-path} $${pkt-srcaddr} $${pkt-dstaddr} $${pkt-src-aws-service} $${pkt-dst-aws-service} $${reject-reason}"
}

resource "aws_kinesis_stream" "flow_logs" {
  name             = var.stream_name
  retention_period = var.stream_retention_hours
  shard_count      = var.shard_count == 0 ? null : var.shard_count
  encryption_type  = "KMS"
  kms_key_id       = var.kms_key_arn == "" ? "alias/aws/kinesis" : var.kms_key_arn

  stream_mode_details {
    stream_mode = var.shard_count == 0 ? "ON_DEMAND" : "PROVISIONED"
  }
}

resource "aws_iam_role" "subscription" {
  name_prefix = "flow-logs-to-kinesis-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringLike = { "aws:SourceArn" = "arn:${data.aws_partition.current.partition}:logs:${local.here}:*" } }
    }]
  })
}

resource "aws_iam_role_policy" "subscription" {
  name = "put-records"
  role = aws_iam_role.subscription.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{ Effect = "Allow", Action = "kinesis:PutRecord", Resource = aws_kinesis_stream.flow_logs.arn }],
      [for key in compact([var.kms_key_arn]) : { Effect = "Allow", Action = "kms:GenerateDataKey", Resource = key }],
    )
  })
}

# By log stream: copies of a payload come to one shard, where they are counted once.
resource "aws_cloudwatch_log_subscription_filter" "kcl_flowlog" {
  name            = "kcl-flowlog"
  log_group_name  = aws_cloudwatch_log_group.flow_logs.name
  filter_pattern  = ""
  distribution    = "ByLogStream"
  destination_arn = aws_kinesis_stream.flow_logs.arn
  role_arn        = aws_iam_role.subscription.arn
  depends_on      = [aws_iam_role_policy.subscription]
}

resource "aws_iam_policy" "instance" {
  name_prefix = "kcl-flowlog-"
  description = "What an instance of kcl-flowlog may do."
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.instance_statements, [for key in local.key_statements : key if var.kms_key_arn != ""])
  })
}

# On EC2, ECS or EKS Pod Identity. For IRSA, attach the policy to the role that trusts your cluster.
resource "aws_iam_role" "instance" {
  count       = var.instance_service == "" ? 0 : 1
  name_prefix = "kcl-flowlog-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = var.instance_service }
      # EKS Pod Identity tags its sessions; the others only assume the role.
      Action = ["sts:AssumeRole", "sts:TagSession"]
    }]
  })
}

resource "aws_iam_role_policy_attachment" "instance" {
  count      = length(aws_iam_role.instance)
  role       = aws_iam_role.instance[0].name
  policy_arn = aws_iam_policy.instance.arn
}
