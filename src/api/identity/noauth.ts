import { header, type Identity } from './identity.ts';

/**
 * For development: the token is `USER:PROJECT`, or one word that is both; everyone has the role `admin`. A request
 * without a token is told one to use.
 */
export function createNoauthIdentity(): Identity {
  return {
    identify(request) {
      const token = header(request, 'x-auth-token');
      if (token === undefined) {
        const user = header(request, 'x-auth-user') ?? 'admin';
        const project = header(request, 'x-auth-project-id') ?? 'admin';
        const headers = { 'x-auth-token': `${user}:${project}`, 'x-server-management-url': `${request.baseUrl}/v1/${project}` };
        return { status: 204, headers, body: '' };
      }
      const colon = token.indexOf(':');
      const userId = colon < 0 ? token : token.slice(0, colon);
      const projectId = (colon < 0 ? '' : token.slice(colon + 1)) || userId;
      return { userId, projectId, roles: ['admin'], requestId: request.id };
    },
  };
}
