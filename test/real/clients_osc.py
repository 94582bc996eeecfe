"""Every command of `openstack data protection`: with a token and the endpoint, or by Keystone's catalogue (OS_AUTH_URL is set)."""
import json
import os
import urllib.request

from openstackclient import shell

try:
    from importlib.metadata import entry_points
except ImportError:  # Python 3.7 and older have the backport.
    from importlib_metadata import entry_points

from clients_common import (AUTH, CRONTAB, DIRECTORY, ENDPOINT, NOBODY, PROJECT, TOKEN, broken, complete, passes, refuses,
                            run_main, wait_for)

LOGIN = [] if 'OS_AUTH_URL' in os.environ else ['--os-auth-type', 'admin_token', '--os-endpoint', ENDPOINT, '--os-token', TOKEN]
known = {point.name[len('data_protection_'):].replace('_', ' ')
         for point in entry_points().select(group='openstack.data_protection.v1')}
tried = set()


def run(command, *args):
    return run_main(shell.main, LOGIN + ['data', 'protection'] + command.split() + list(args))


def as_json(command, *args):
    return json.loads(run(command, '-f', 'json', *args))


def name_of(command):
    words = command.split(' (')[0]
    tried.add(words)
    return words


def shows(command, *args, check=None):
    return passes('openstack data protection %s' % command, lambda words=name_of(command): as_json(words, *args), check)


def does(command, *args):
    passes('openstack data protection %s' % command, lambda words=name_of(command): run(words, *args))


def fails(command, reason, text, *args):
    broken('openstack data protection %s' % command, reason, text, lambda words=name_of(command): run(words, *args))


def refused(command, *args):
    refuses('openstack data protection %s' % command, 'CommandFailed', lambda words=name_of(command): run(words, *args))


def column(name, value):
    return lambda rows: value in [row[name] for row in rows]


# Providers and protectables
provider = shows('provider list', check=lambda rows: len(rows) == 1)[0]
provider_id = provider['Id']
shows('provider show', provider_id, check=lambda one: 'restore_schema' in json.loads(one['extended_info_schema']))
shows('provider show (by name)', provider['Name'], check=lambda one: one['id'] == provider_id)
shows('protectable list', check=column('Protectable type', DIRECTORY))
shows('protectable show', DIRECTORY, check=lambda one: one['name'] == DIRECTORY)
instances = shows('protectable instance list', DIRECTORY, '--limit', '50', '--sort', 'name:asc', '--parameters', 'region=one',
                  check=column('Name', 'notes'))
notes = [row['Id'] for row in instances if row['Name'] == 'notes'][0]
shows('protectable instance show', DIRECTORY, notes, '--parameters', 'region=one', check=lambda one: one['name'] == 'notes')

# Plans
resources = '%s=%s=notes' % (notes, DIRECTORY)
plan = shows('plan create', 'of the commands', provider_id, resources, check=lambda one: one['status'] == 'suspended')['id']
other = 'other of %s' % AUTH
shows('plan create (with parameters)', other, provider_id, resources + '={"a":"b"}', '--description', 'for a moment',
      '--parameters', 'resource_type=%s,exclude=*.tmp' % DIRECTORY, check=lambda one: '*.tmp' in one['parameters'])
shows('plan create (with parameters of one resource)', 'third', provider_id, resources, '--parameters',
      'resource_type=%s,resource_id=%s,exclude=*.tmp' % (DIRECTORY, notes), check=lambda one: notes in one['parameters'])
shows('plan create (with parameters as JSON)', 'fourth', provider_id, resources, '--parameters-json', '{}')
refused('plan create (of what is not there)', 'no', provider_id, '%s=%s=nothing' % (NOBODY, DIRECTORY))
shows('plan list', check=column('Id', plan))
shows('plan list (filtered)', '--name', other, '--status', 'suspended', '--description', 'moment', check=lambda rows: len(rows) == 1)
shows('plan list (of every project)', '--all-projects', check=column('Id', plan))
shows('plan list (of a project)', '--project', PROJECT, '--limit', '1', '--sort', 'name:asc', check=lambda rows: len(rows) == 1)
shows('plan list (second page)', '--sort', 'id:asc', '--limit', '1', '--marker', plan)
does('plan list (as a table)')
shows('plan show', plan, check=lambda one: json.loads(one['resources'])[0]['id'] == notes)
shows('plan show (by name)', other, check=lambda one: one['name'] == other)
shows('plan update', plan, '--name', 'renamed', '--description', 'by hand', '--resources', resources,
      check=lambda one: one['name'] == 'renamed')
shows('plan update (by name)', other, '--status', 'started', check=lambda one: one['status'] == 'started')
does('plan delete', other, 'third', 'fourth')
refused('plan delete (again)', other)

# Checkpoints
checkpoint = shows('checkpoint create', provider_id, plan, check=lambda one: one['status'] == 'protecting')['id']
named = shows('checkpoint create (with extra info)', provider_id, plan, '--extra_info', 'why=trial', 'a=b')['id']


def until_done(command, *args, busy):
    return wait_for(lambda: as_json(command, *args)['status'], busy)


passes('openstack data protection checkpoint show', lambda: [
    until_done('checkpoint show', provider_id, one, busy='protecting') for one in (checkpoint, named)],
    lambda found: found == ['available', 'available'])
shows('checkpoint show (its graph)', provider_id, checkpoint, check=lambda one: notes in one['resource_graph'])
shows('checkpoint list', provider_id, check=column('Id', checkpoint))
shows('checkpoint list (of a plan and days)', provider_id, '--plan_id', plan, '--start_date', '2020-01-01', '--end_date', '2090-01-01',
      '--limit', '1', '--sort', 'created_at:asc', check=lambda rows: len(rows) == 1)
shows('checkpoint list (of every project)', provider_id, '--all-projects', check=column('Id', checkpoint))
shows('checkpoint list (of a project)', provider_id, '--project_id', PROJECT, '--marker', named)
does('checkpoint list (as a table)', provider_id)
does('checkpoint reset state', provider_id, named)
shows('checkpoint show (in error)', provider_id, named, check=lambda one: one['status'] == 'error')
does('checkpoint reset state (to available)', provider_id, named, '--available')
refused('checkpoint reset state (unknown)', provider_id, NOBODY)
does('checkpoint delete', provider_id, named)
refused('checkpoint delete (unknown)', provider_id, NOBODY)

# Restores and verifications
restore_name = 'osc-%s' % AUTH
restore = shows('restore create', provider_id, checkpoint, '--parameters',
                'resource_type=%s,restore_name=%s' % (DIRECTORY, restore_name))['id']
passes('openstack data protection restore show', lambda: until_done('restore show', restore, busy='in_progress'),
       lambda status: status == 'success')
name_of('restore show')
shows('restore create (to another cloud)', provider_id, checkpoint, '--restore_target', 'http://identity.south.test/v3',
      '--restore_username', 'dr', '--restore_password', 'a secret', '--parameters-json',
      '{"%s": {"restore_name": "%s-south"}}' % (DIRECTORY, restore_name),
      check=lambda one: one['restore_target'] == 'http://identity.south.test/v3' and 'a secret' not in str(one))
shows('restore list', '--status', 'success', check=column('Id', restore))
shows('restore list (of every project)', '--all-projects', '--limit', '1', '--sort', 'status:asc', check=lambda rows: len(rows) == 1)
verification = shows('verification create', provider_id, checkpoint)['id']
passes('openstack data protection verification show', lambda: until_done('verification show', verification, busy='in_progress'),
       lambda status: status == 'success')
name_of('verification show')
shows('verification list', '--status', 'success', check=column('Id', verification))

# Triggers and scheduled operations
fails('trigger create', 'the command hands text to the library, which wants an object', "'str' object has no attribute 'get'",
      'nightly', 'time', CRONTAB)


def create_trigger():
    """As the command would, if it could."""
    properties = dict(pair.split('=', 1) for pair in CRONTAB.split(','))
    body = json.dumps({'trigger_info': {'name': 'nightly-%s' % AUTH, 'type': 'time', 'properties': properties}})
    headers = {'X-Auth-Token': TOKEN, 'Content-Type': 'application/json'}
    with urllib.request.urlopen(urllib.request.Request(ENDPOINT + '/triggers', body.encode(), headers)) as answer:
        return json.load(answer)['trigger_info']['id']


trigger = create_trigger()
shows('trigger list', '--name', 'nightly', '--type', 'time', '--properties', 'crontab', check=column('Id', trigger))
shows('trigger show', trigger, check=lambda one: one['name'] == 'nightly-%s' % AUTH)
shows('trigger show (by name)', 'nightly-%s' % AUTH, check=lambda one: one['id'] == trigger)
shows('trigger update', trigger, '--name', 'weekly-%s' % AUTH, '--properties', CRONTAB + ',window=900',
      check=lambda one: one['name'] == 'weekly-%s' % AUTH)
fails('trigger update (the name alone)', 'the library reads data["properties"], given or not', "'properties'", trigger, '--name', 'x')
operation = shows('scheduledoperation create', 'every night', 'protect', trigger, 'plan_id=%s,provider_id=%s' % (plan, provider_id),
                  check=lambda one: json.loads(one['operation_definition'])['plan_id'] == plan)['id']
kept = shows('scheduledoperation create (with retention)', 'kept %s' % AUTH, 'retention_protect', trigger,
             'plan_id=%s,provider_id=%s,max_backups=3' % (plan, provider_id),
             check=lambda one: json.loads(one['operation_definition'])['max_backups'] == '3')['id']
shows('scheduledoperation list', '--trigger_id', trigger, '--operation_type', 'protect', check=column('Id', operation))
shows('scheduledoperation show', operation, check=lambda one: one['trigger_id'] == trigger)
shows('scheduledoperation show (by name)', 'kept %s' % AUTH, check=lambda one: one['id'] == kept)
refused('trigger delete (in use)', trigger)
does('scheduledoperation delete', operation, kept)
refused('scheduledoperation delete (again)', operation)
does('trigger delete', trigger)
refused('trigger show (deleted)', trigger)

# Operation logs, quotas, services
logs = shows('operationlog list', check=column('Checkpoint id', checkpoint))
shows('operationlog list (of a project)', '--project', PROJECT, '--status', 'success', '--limit', '2', check=lambda rows: len(rows) == 2)
shows('operationlog show', logs[0]['Id'], check=lambda one: one['id'] == logs[0]['Id'])
shows('quotas show', '--tenant', PROJECT, check=lambda one: one['plans'] == 50)
shows('quotas show (in detail)', '--tenant', PROJECT, '--detail', check=lambda one: 'in_use = ' in one['plans'])
shows('quotas default', '--tenant', PROJECT, check=lambda one: one['plans'] == 50)
if not LOGIN:
    shows('quotas show (of the own project)', check=lambda one: one['plans'] == 50)
    shows('quotas default (of the own project)', check=lambda one: one['plans'] == 50)
shows('quotas update', PROJECT, '--plans', '60', check=lambda one: one['plans'] == 60)
shows('quotas update (back to 50)', PROJECT, check=lambda one: one['plans'] == 50)
shows('quotaclass update', 'default', '--plans', '50', check=lambda one: one['plans'] == 50)
shows('quotaclass show', 'default', check=lambda one: one['plans'] == 50)
engine = shows('service list', '--binary', 'karbor-operationengine', check=lambda rows: len(rows) == 1)[0]
service = str(engine['Id'])
shows('service list (of a host)', '--host', engine['Host'], check=lambda rows: len(rows) == 2)
shows('service disable', service, check=lambda one: one['status'] == 'disabled')
shows('service disable (with a reason)', service, '--reason', 'a trial', check=lambda one: one['disabled_reason'] == 'a trial')
shows('service enable', service, check=lambda one: one['status'] == 'enabled')

complete('openstack data protection (every command)', known, tried)
