// The import rules of docs/architecture.md: which folder may import which. A violation fails `npm run check`.
const OURS =
  '^(manifest|image|store|workflows|activities|worker|gateway|client|host|initrd|extensions|bench|test)/';

/** What a folder may import of ours; `types` only as types. */
const MAY_IMPORT = {
  manifest: {},
  image: {},
  store: { values: ['image'] },
  host: {},
  workflows: { types: ['manifest', 'activities'] },
  activities: { values: ['manifest', 'image', 'store', 'host'] },
  worker: { values: ['workflows', 'activities', 'host'] },
  gateway: { values: ['manifest', 'image', 'store', 'host', 'workflows/api.ts'] },
  client: {
    values: ['manifest', 'image', 'store', 'host', 'workflows/api.ts'],
    types: ['activities', 'workflows'],
  },
};

const pathsOf = (names) => names.map((name) => (name.endsWith('.ts') ? `^${name}$` : `^${name}/`));

const forbidden = Object.entries(MAY_IMPORT).flatMap(([folder, { values = [], types = [] }]) => [
  {
    name: `${folder}-values`,
    severity: 'error',
    from: { path: `^${folder}/` },
    to: {
      path: OURS,
      pathNot: pathsOf([folder, ...values]),
      dependencyTypesNot: ['type-only'],
    },
  },
  {
    name: `${folder}-types`,
    severity: 'error',
    from: { path: `^${folder}/` },
    to: {
      path: OURS,
      pathNot: pathsOf([folder, ...values, ...types]),
      dependencyTypes: ['type-only'],
    },
  },
]);

module.exports = {
  forbidden: [
    ...forbidden,
    {
      name: 'no-zod-in-workflows',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: 'node_modules/zod', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
