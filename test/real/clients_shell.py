"""Every command of the old `karbor` shell, which speaks to the endpoint with a token."""
import re

from karborclient import shell
from karborclient.v1 import client, shell as commands

from clients_common import (AUTH, CRONTAB, DIRECTORY, ENDPOINT, PROJECT, TOKEN, broken, complete, passes, run_main,
                            wait_for)

LOGIN = ['--os-no-client-auth', '--karbor-url', ENDPOINT, '--os-auth-token', TOKEN]
library = client.Client(endpoint=ENDPOINT, token=TOKEN, project_id=PROJECT)
tried = set()


def run(command, *args):
    return run_main(lambda argv: shell.KarborShell().main(argv), LOGIN + [command] + list(args))


def name_of(command):
    word = command.split(' (')[0]
    tried.add(word)
    return word


def prints(command, *args, text=''):
    """Gives the first id among what is printed."""
    found = passes('karbor %s' % command, lambda word=name_of(command): run(word, *args), lambda table: text in table)
    ids = re.findall(r'^\| id +\| (\S+)', found or '', re.MULTILINE)
    return ids[0] if ids else None


def fails(command, reason, text, *args):
    broken('karbor %s' % command, reason, text, lambda word=name_of(command): run(word, *args))


provider = library.providers.list()[0].id
notes = [one for one in library.protectables.list_instances(DIRECTORY) if one.name == 'notes'][0].id
resources = '%s=%s=notes' % (notes, DIRECTORY)

prints('provider-list', '--name', '', '--sort', 'name', text=provider)
prints('provider-show', provider, text='restore_schema')
prints('protectable-list', text=DIRECTORY)
prints('protectable-show', DIRECTORY, text=DIRECTORY)
prints('protectable-list-instances', DIRECTORY, '--limit', '50', '--parameters', 'region=one', text=notes)
prints('protectable-show-instance', DIRECTORY, notes, '--parameters', 'region=one', text='notes')

plan = prints('plan-create', 'of the shell', provider, resources, '--parameters',
              'resource_type=%s,exclude=*.tmp' % DIRECTORY, text='suspended')
prints('plan-list', '--all-tenants', '1', '--name', 'of the', '--sort', 'name:asc', text=plan)
prints('plan-show', plan, text=notes)
prints('plan-update', plan, '--name', 'shell %s' % AUTH, '--resources', resources, text='shell %s' % AUTH)
prints('plan-update (by name)', 'shell %s' % AUTH, '--status', 'started', text='started')

checkpoint = prints('checkpoint-create', provider, plan, '--extra_info', 'why=trial', text='protecting')
passes('karbor checkpoint-create (until it is over)',
       lambda: wait_for(lambda: library.checkpoints.get(provider, checkpoint).status, 'protecting'), lambda status: status == 'available')
prints('checkpoint-list', provider, '--plan_id', plan, '--start_date', '2020-01-01', '--end_date', '2090-01-01', text=checkpoint)
prints('checkpoint-show', provider, checkpoint, text='available')
prints('checkpoint-reset-state', provider, checkpoint)
prints('checkpoint-reset-state (to available)', provider, checkpoint, '--available')

restore = prints('restore-create', provider, checkpoint, '--parameters',
                 'resource_type=%s,restore_name=shell-%s' % (DIRECTORY, AUTH), text='in_progress')
passes('karbor restore-create (until it is over)',
       lambda: wait_for(lambda: library.restores.get(restore).status, 'in_progress'), lambda status: status == 'success')
prints('restore-list', '--status', 'success', '--sort_key', 'status', '--sort_dir', 'asc', text=restore)
prints('restore-show', restore, text='success')
verification = prints('verification-create', provider, checkpoint, text='in_progress')
passes('karbor verification-create (until it is over)',
       lambda: wait_for(lambda: library.verifications.get(verification).status, 'in_progress'), lambda status: status == 'success')
prints('verification-list', text=verification)
prints('verification-show', verification, text='success')
prints('checkpoint-delete', provider, checkpoint)

trigger = prints('trigger-create', 'nightly', 'time', CRONTAB + ',window=900', text='crontab')
prints('trigger-list', '--name', 'nightly', '--type', 'time', text=trigger)
prints('trigger-show', trigger, text='nightly')
prints('trigger-update', trigger, '--name', 'weekly', '--properties', CRONTAB, text='weekly')
fails('trigger-update (the name alone)', 'the shell sends empty properties, which replace all that there are', 'is required', trigger,
      '--name', 'monthly')
operation = prints('scheduledoperation-create', 'every night', 'protect', trigger, 'plan_id=%s,provider_id=%s' % (plan, provider), text=plan)
prints('scheduledoperation-list', '--trigger_id', trigger, text=operation)
prints('scheduledoperation-show', operation, text=trigger)
prints('scheduledoperation-delete', operation)
prints('trigger-delete', trigger)

prints('operationlog-list', '--limit', '5', text=checkpoint)
prints('operationlog-show', library.operation_logs.list()[0].id, text='operation_type')
prints('quota-show', '--tenant', PROJECT, '--detail', text='in_use')
fails('quota-show (of the own project)', 'the plain transport does not know its project', "no attribute 'get_project_id'")
prints('quota-defaults', '--tenant', PROJECT, text='50')
prints('quota-update', PROJECT, '--plans', '60', text='60')
prints('quota-update (back to 50)', PROJECT, text='50')
prints('quota-class-update', 'default', '--plans', '50', text='50')
prints('quota-class-show', 'default', text='50')
engine = str(library.services.list(binary='karbor-operationengine')[0].id)
prints('service-list', '--binary', 'karbor-operationengine', text='enabled')
prints('service-disable', engine, text='disabled')
prints('service-disable (with a reason)', engine, '--reason', 'a trial', text='a trial')
prints('service-enable', engine, text='enabled')
prints('plan-delete', plan)

complete('karbor (every command)', [name[3:].replace('_', '-') for name in vars(commands) if name.startswith('do_')], tried)
