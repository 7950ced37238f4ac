#!/bin/sh
# Least-privilege ACLs: what each process of Holdfast may do on Kafka, and nothing more.
#
# Prints the commands; with KAFKA_ACLS it runs them, and running them again changes nothing:
#     KAFKA_ACLS="kafka-acls.sh --bootstrap-server kafka:9093 --command-config admin.properties" deploy/kafka/acls.sh
#
# Principals are holdfast-{admin,worker,learner,reconciler,console,watcher,forwarder,auditor,producer,consumer,operator}. The names of topics, groups and
# transactional ids follow HOLDFAST_APP, HOLDFAST_TOPICS_PREFIX and HOLDFAST_TOPICS_PARTITIONS, as in the settings.
set -eu

app=${HOLDFAST_APP:-holdfast}
prefix=${HOLDFAST_TOPICS_PREFIX:-}
partitions=${HOLDFAST_TOPICS_PARTITIONS:-8}
acls=${KAFKA_ACLS:-echo kafka-acls.sh}

inputs="transactions labels"
decisions="decisions.approve decisions.block decisions.review"
broadcast="models merchant-risk rules control"
results="$decisions decisions.revised transactions.DLT alerts modes"
everything="$inputs $results $broadcast card-feedback profiles learner-state reconciler-state console-state information.requested information.answered complaints review-prices heartbeats canaries dlt-replays lane-owners"

# allow PRINCIPAL "OPERATIONS" "topics": an operation on a topic brings the right to describe it.
allow() {
    set -- "$1" "$(options --operation "" "$2")" "$(options --topic "$prefix" "$3")"
    # shellcheck disable=SC2086
    $acls --add --allow-principal "User:holdfast-$1" $2 $3
}

# allow_group PRINCIPAL literal|prefixed NAME [OPERATION]
allow_group() {
    $acls --add --allow-principal "User:holdfast-$1" --operation "${4:-Read}" --resource-pattern-type "$2" --group "$3"
}

# allow_transactions PRINCIPAL "SUFFIXES" [prefixed]: each producer that decides or learns has a transactional id of its own.
allow_transactions() {
    set -- "$1" "$(options --transactional-id "$app-$prefix" "$2")" "${3:-literal}"
    # shellcheck disable=SC2086
    $acls --add --allow-principal "User:holdfast-$1" --operation Write --operation Describe --resource-pattern-type "$3" $2
}

# options NAME PREFIX "VALUES": --name prefix+value for each value
options() {
    for value in $3; do printf '%s %s%s ' "$1" "$2" "$value"; done
}

# `holdfast topics create` makes the topics; who works with them first checks that they are as they must be.
allow admin Create "$everything"
for checking in admin worker learner reconciler console watcher forwarder auditor operator; do
    allow "$checking" "Describe DescribeConfigs" "$everything"
done

# Workers: one group, for the lanes. A transactional id for each partition, its lock; and one for each assignment.
allow worker Read "transactions card-feedback profiles lane-owners alerts $broadcast"
allow worker Write "$decisions transactions.DLT profiles lane-owners alerts modes heartbeats canaries"
allow_group worker literal "$app-${prefix}lanes"
allow_transactions worker "$(seq -s ' ' 0 $((partitions - 1)))"
allow_transactions worker "lanes-" prefixed

# The learner reads without a group; its one transactional id fences a second learner.
allow learner Read "$decisions labels models merchant-risk card-feedback learner-state alerts control"
allow learner Write "models merchant-risk card-feedback learner-state transactions.DLT heartbeats alerts"
allow_transactions learner learner

# The reconciler reads without a group; its one transactional id fences a second one.
allow reconciler Read "$decisions alerts models control reconciler-state"
allow reconciler Write "decisions.revised alerts reconciler-state heartbeats"
allow_transactions reconciler reconciler

# The console reads without a group; its one transactional id fences a second one. It asks how far the lanes have come.
allow console Read "$inputs $decisions decisions.revised transactions.DLT information.answered complaints console-state alerts heartbeats models learner-state rules control"
allow console Write "decisions.revised labels information.requested information.answered complaints review-prices control rules console-state heartbeats"
allow_group console literal "$app-${prefix}lanes" Describe
allow_transactions console console

# The watcher hears all others, and itself; its canaries are payments.
allow watcher Read "heartbeats alerts canaries"
allow watcher Write "heartbeats alerts transactions"

# The forwarder: a group for each place that it sends alerts or questions to.
allow forwarder Read "alerts information.requested"
allow_group forwarder prefixed "$app-${prefix}forward-"

# The auditor and `holdfast audit` read without a group, and ask how far the lanes' has come.
allow auditor Read "transactions $decisions transactions.DLT"
for auditing in auditor operator; do
    allow_group "$auditing" literal "$app-${prefix}lanes" Describe
done

# Whoever sends payments, labels, answers and complaints, and whoever acts on what comes out.
allow producer Write "$inputs information.answered complaints"
allow consumer Read "$results information.requested complaints review-prices"
allow_group consumer prefixed "$app-${prefix}consumer-"

# `holdfast watch`, `audit` and `rules`
allow operator Read "$everything"
allow operator Write "rules control heartbeats" # heartbeats: to forget who is not to come back

# `holdfast dlt`: its one transactional id fences a second replay. Kafka asks for Delete to delete records, and whoever
# has it may delete the topic as well: leave the last line out if nobody is to purge.
allow operator Write "$inputs dlt-replays"
allow_transactions operator dlt-replay
allow operator Delete transactions.DLT
