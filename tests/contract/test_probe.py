import collections, time, traceback, os, json
import schemathesis
from schemathesis.generation import GenerationMode
from schemathesis.core.failures import FailureGroup
from tests.contract import asking

def test_probe(asker):
    findings=collections.defaultdict(list); errs=[]
    stat=collections.defaultdict(collections.Counter)
    for name in os.environ.get("FACES","public,resident,admin").split(","):
        t=time.process_time()
        schema=asking.face(asker.house.app, name)
        n=0
        for r in schema.get_all_operations():
            op=r.ok()
            if os.environ.get("ONLY","") not in op.label: continue
            gen=schema.config.generation_for(operation=op, phase="coverage")
            seen=collections.Counter()
            for case in schema.iter_coverage_cases(op, generation_modes=list(GenerationMode), generation_config=gen):
                sc=asking.scenario(case)
                seen[sc]+=1
                if seen[sc]>int(os.environ.get("EACH","1")): continue
                n+=1
                try:
                    resp=asker.ask(case)
                    stat[op.label][resp.status_code]+=1
                    if resp.status_code in (409,422,412,413,415) and all(c.mode.is_positive for c in case.meta.components.values()):
                        findings["POSITIVE REFUSED "+resp.json().get("code","?")].append((op.label,str(sc),resp.content.decode()[:600],case.as_curl_command()))
                except FailureGroup as g:
                    for f in g.exceptions:
                        findings[f.title].append((op.label, str(sc), f.message[:1500], g.message))
                except Exception as e:
                    errs.append((op.label, str(sc), "".join(traceback.format_exception(e))[-3000:]))
        print(name, n, "cases", time.process_time()-t)
    with open("/tmp/fz/findings.json","w") as fp: json.dump({"f":findings,"e":errs,"s":{k:dict(v) for k,v in stat.items()}}, fp, ensure_ascii=False, indent=1)
    for k,v in findings.items(): print(k, len(v), len({x[0] for x in v}))
    print("errors", len(errs))
    print("never 2xx", sum(1 for k,v in stat.items() if not any(200<=s<300 for s in v)), "of", len(stat))
