"""Every call of the library, over the plain transport or keystoneauth's: `clients_library.py plain|session|catalogue`."""
import os
import sys

from karborclient import client as versioned
from karborclient.v1 import client as v1
from keystoneauth1 import session, token_endpoint
from keystoneauth1.identity import v3

from clients_common import (AUTH, DIRECTORY, ENDPOINT, NOBODY, PATTERN, PROJECT, TOKEN, broken, complete, passes, refuses,
                            wait_for)

transport = sys.argv[1]
tried = set()


def connect():
    if transport == 'plain':
        return versioned.Client('1', ENDPOINT, token=TOKEN, project_id=PROJECT)
    if transport == 'session':
        return v1.Client(session=session.Session(auth=token_endpoint.Token(ENDPOINT, TOKEN)), endpoint_override=ENDPOINT)
    auth = v3.Password(auth_url=os.environ['OS_AUTH_URL'], username=os.environ['OS_USERNAME'],
                       password=os.environ['OS_PASSWORD'], project_name=os.environ['OS_PROJECT_NAME'],
                       user_domain_name='Default', project_domain_name='Default')
    return v1.Client(session=session.Session(auth=auth), service_type='data-protect')


def call(name, function, check=None):
    """`manager.method`, and perhaps what of it."""
    tried.add(name.split(' ')[0])
    return passes('%s %s' % (transport, name), function, check)


def refused(name, kind, function):
    tried.add(name.split(' ')[0])
    refuses('%s %s' % (transport, name), kind, function)


karbor = connect()

# Providers and protectables
providers = call('providers.list', lambda: karbor.providers.list(search_opts={'name': ''}, limit=5, sort='name:asc'),
                 lambda found: len(found) == 1 and found[0].id)
provider = providers[0].id
call('providers.get', lambda: karbor.providers.get(provider, session_id='s'),
     lambda one: 'restore_name' in one.extended_info_schema['restore_schema'][DIRECTORY]['properties'])
call('protectables.list', lambda: karbor.protectables.list(),
     lambda found: DIRECTORY in [one.protectable_type for one in found])
call('protectables.get', lambda: karbor.protectables.get(DIRECTORY),
     lambda one: one.name == DIRECTORY and one.dependent_types == [])
instances = call('protectables.list_instances',
                 lambda: karbor.protectables.list_instances(DIRECTORY, limit=50, sort_key='name', sort_dir='asc'),
                 lambda found: 'notes' in [one.name for one in found])
notes = [one for one in instances if one.name == 'notes'][0]
call('protectables.get_instance',
     lambda: karbor.protectables.get_instance(DIRECTORY, notes.id, search_opts={'parameters': {'region': 'one'}}),
     lambda one: one.id == notes.id and one.dependent_resources == [])
refused('protectables.get_instance (unknown)', 'NotFound', lambda: karbor.protectables.get_instance(DIRECTORY, NOBODY))

# Plans
resource = {'id': notes.id, 'type': DIRECTORY, 'name': 'notes'}
plan = call('plans.create', lambda: karbor.plans.create('of the library', provider, [resource], {}),
            lambda one: one.status == 'suspended' and one.description is None and one.resources[0]['id'] == notes.id)
other = call('plans.create (described)',
             lambda: karbor.plans.create('other', provider, [dict(resource, extra_info={'a': 'b'})],
                                         {DIRECTORY: {'exclude': '*.tmp'}}, description='for a moment'),
             lambda one: one.description == 'for a moment')
call('plans.list', lambda: karbor.plans.list(), lambda found: {plan.id, other.id} <= {one.id for one in found})
call('plans.list (of every project)', lambda: karbor.plans.list(search_opts={'all_tenants': True, 'project_id': PROJECT}),
     lambda found: {plan.id, other.id} <= {one.id for one in found})
call('plans.list (page by page)',
     lambda: karbor.plans.list(limit=1, sort='id:desc', marker=karbor.plans.list(limit=1, sort=[('id', 'desc')])[0].id),
     lambda found: len(found) == 1)
call('plans.list (filtered)', lambda: karbor.plans.list(search_opts={'name': 'other', 'status': 'suspended'}),
     lambda found: other.id in [one.id for one in found])
refused('plans.list (detailed)', 'BadRequest', lambda: karbor.plans.list(detailed=True))
call('plans.get', lambda: karbor.plans.get(plan.id, session_id='s'), lambda one: one.name == 'of the library')
call('plans.get (a second one for what is missing)', lambda: hasattr(karbor.plans.get(plan.id), 'no_such_member'),
     lambda has: has is False)
refused('plans.get (unknown)', 'NotFound', lambda: karbor.plans.get(NOBODY))
refused('plans.get (by name)', 'BadRequest', lambda: karbor.plans.get('other'))
call('plans.find', lambda: karbor.plans.find(name='other', id=other.id), lambda one: one.id == other.id)
call('plans.update', lambda: karbor.plans.update(other.id, {'name': 'another', 'status': 'started'}),
     lambda one: one.name == 'another' and one.status == 'started')
refused('plans.update (while started)', 'BadRequest', lambda: karbor.plans.update(other.id, {'name': 'no'}))
call('plans.delete', lambda: karbor.plans.delete(other.id))
refused('plans.delete (again)', 'NotFound', lambda: karbor.plans.delete(other.id))

# Checkpoints
checkpoint = call('checkpoints.create', lambda: karbor.checkpoints.create(provider, plan.id),
                  lambda one: one.status == 'protecting' and one.protection_plan['id'] == plan.id)
named = call('checkpoints.create (with extra info)', lambda: karbor.checkpoints.create(provider, plan.id, {'why': 'a trial'}))


def status_of(one):
    return lambda: karbor.checkpoints.get(provider, one.id).status


call('checkpoints.get', lambda: [wait_for(status_of(one), 'protecting') for one in (checkpoint, named)],
     lambda found: found == ['available', 'available'])
call('checkpoints.get (its extra info)', lambda: karbor.checkpoints.get(provider, named.id, session_id='s'),
     lambda one: 'a trial' in one.extra_info)
call('checkpoints.list', lambda: karbor.checkpoints.list(provider), lambda found: {checkpoint.id, named.id} <= {one.id for one in found})
call('checkpoints.list (of one plan and day)',
     lambda: karbor.checkpoints.list(provider, search_opts={'plan_id': plan.id, 'start_date': '2020-01-01', 'end_date': '2090-01-01'},
                                     limit=1, sort='created_at:asc'),
     lambda found: len(found) == 1)
call('checkpoints.list (second page)', lambda: karbor.checkpoints.list(
    provider, limit=1, marker=karbor.checkpoints.list(provider, limit=1)[0].id), lambda found: len(found) == 1)
refused('checkpoints.get (unknown)', 'NotFound', lambda: karbor.checkpoints.get(provider, NOBODY))
call('checkpoints.reset_state', lambda: karbor.checkpoints.reset_state(provider, named.id, 'error'))
call('checkpoints.update', lambda: karbor.checkpoints.update(provider, named.id, {'os-resetState': {'state': 'available'}}))
call('checkpoints.get (after both)', lambda: karbor.checkpoints.get(provider, named.id), lambda one: one.status == 'available')
refused('checkpoints.reset_state (to nonsense)', 'BadRequest', lambda: karbor.checkpoints.reset_state(provider, named.id, 'fine'))

# Restores and verifications
where = {DIRECTORY: {'restore_name': 'library-%s-%s' % (AUTH, transport)}}
restore = call('restores.create', lambda: karbor.restores.create(provider, checkpoint.id, None, where, None),
               lambda one: one.status == 'in_progress' and one.restore_target is None)
call('restores.get', lambda: wait_for(lambda: karbor.restores.get(restore.id).status, 'in_progress'),
     lambda status: status == 'success')
call('restores.list', lambda: karbor.restores.list(search_opts={'status': 'success'}), lambda found: restore.id in [one.id for one in found])
call('restores.create (unknown checkpoint)', lambda: karbor.restores.create(provider, NOBODY, None, {}, None),
     lambda one: one.status == 'fail')
refused('restores.get (unknown)', 'NotFound', lambda: karbor.restores.get(NOBODY))
verification = call('verifications.create', lambda: karbor.verifications.create(provider, checkpoint.id, {}),
                    lambda one: one.status == 'in_progress')
call('verifications.get', lambda: wait_for(lambda: karbor.verifications.get(verification.id).status, 'in_progress'),
     lambda status: status == 'success')
call('verifications.list', lambda: karbor.verifications.list(limit=100), lambda found: verification.id in [one.id for one in found])
call('checkpoints.delete', lambda: karbor.checkpoints.delete(provider, named.id))
call('checkpoints.get (until it is gone)', lambda: wait_for(status_of(named), 'deleting'), lambda status: status == 'deleted')

# Triggers and scheduled operations
calendar = {'format': 'calendar', 'pattern': PATTERN, 'window': '1200', 'start_time': '2040-01-01 00:00:00'}
trigger = call('triggers.create', lambda: karbor.triggers.create('nightly', 'time', calendar),
               lambda one: one.properties['pattern'] == PATTERN and str(one.properties['window']) == '1200')
call('triggers.get', lambda: karbor.triggers.get(trigger.id), lambda one: one.type == 'time')
call('triggers.list', lambda: karbor.triggers.list(search_opts={'name': 'nightly', 'type': 'time'}, sort='name:asc'),
     lambda found: trigger.id in [one.id for one in found])
call('triggers.update', lambda: karbor.triggers.update(trigger.id, {'name': 'weekly', 'properties': dict(
    format='crontab', pattern='0 3 * * 0', start_time='2040-01-01 00:00:00', window='900')}), lambda one: one.name == 'weekly')
broken('%s triggers.update (the name alone)' % transport, 'the library reads data["properties"], given or not', "KeyError: 'properties'",
       lambda: karbor.triggers.update(trigger.id, {'name': 'monthly'}))
refused('triggers.create (no pattern)', 'BadRequest', lambda: karbor.triggers.create('x', 'time', {'format': 'calendar'}))
definition = {'provider_id': provider, 'plan_id': plan.id}
operation = call('scheduled_operations.create',
                 lambda: karbor.scheduled_operations.create('every night', 'protect', trigger.id, definition),
                 lambda one: one.operation_definition['plan_id'] == plan.id)
call('scheduled_operations.get', lambda: karbor.scheduled_operations.get(operation.id), lambda one: one.enabled is True)
call('scheduled_operations.list', lambda: karbor.scheduled_operations.list(search_opts={'trigger_id': trigger.id}),
     lambda found: [one.id for one in found] == [operation.id])
refused('triggers.delete (in use)', 'HTTPClientError', lambda: karbor.triggers.delete(trigger.id))
call('scheduled_operations.delete', lambda: karbor.scheduled_operations.delete(operation.id))
call('triggers.delete', lambda: karbor.triggers.delete(trigger.id))

# Operation logs, quotas, services
logs = call('operation_logs.list', lambda: karbor.operation_logs.list(search_opts={'checkpoint_id': checkpoint.id}),
            lambda found: {'protect', 'restore'} <= {one.operation_type for one in found})
call('operation_logs.get', lambda: karbor.operation_logs.get(logs[0].id), lambda one: one.checkpoint_id == checkpoint.id)
call('quotas.get', lambda: karbor.quotas.get(PROJECT, False), lambda one: int(one.plans) == 50)
call('quotas.get (in detail)', lambda: karbor.quotas.get(PROJECT, True), lambda one: {'in_use', 'limit', 'reserved'} <= set(one.plans))
call('quotas.defaults', lambda: karbor.quotas.defaults(PROJECT), lambda one: one.plans == 50)
call('quotas.update', lambda: karbor.quotas.update(PROJECT, {'plans': 60}), lambda one: one.plans == 60)
call('quotas.update (back to 50)', lambda: karbor.quotas.update(PROJECT, {'plans': None}), lambda one: one.plans == 50)
call('quota_classes.update', lambda: karbor.quota_classes.update('default', {'plans': 50}), lambda one: one.plans == 50)
call('quota_classes.get', lambda: karbor.quota_classes.get('default'), lambda one: one.plans == 50)
for manager in ('quotas', 'quota_classes'):
    call('%s.list' % manager, lambda: getattr(karbor, manager).list(), lambda found: found is None)
services = call('services.list', lambda: karbor.services.list(binary='karbor-operationengine'), lambda found: len(found) == 1)
call('services.disable', lambda: karbor.services.disable(services[0].id), lambda one: one.status == 'disabled')
call('services.disable_log_reason', lambda: karbor.services.disable_log_reason(services[0].id, 'a trial'),
     lambda one: one.disabled_reason == 'a trial')
call('services.enable', lambda: karbor.services.enable(services[0].id), lambda one: one.status == 'enabled')

if transport == 'plain':
    stranger = versioned.Client('1', ENDPOINT, token='nobody:elsewhere', project_id=PROJECT)
    refused('plans.list (with a token of nobody)', 'BadRequest' if AUTH == 'noauth' else 'AuthorizationFailure', stranger.plans.list)

complete('%s (every method of every manager)' % transport,
         ['%s.%s' % (name, method) for name, manager in vars(karbor).items() if name != 'http_client'
          for method, function in vars(type(manager)).items() if callable(function) and not method.startswith('_')
          and method != 'resource_class'],
         tried)
